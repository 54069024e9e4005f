import pg from 'pg';
import { FIRST_INDEX_VERSION, type TableRef } from '@safekeep/core';
import type { Field, FieldIndex } from '../model.ts';

export const q = pg.escapeIdentifier;

export function qualified({ schema, table }: TableRef): string {
  return `${q(schema)}.${q(table)}`;
}

/** What a field is made of in SQL, every name quoted. */
export type FieldNames = {
  readonly table: string;
  readonly column: string;
  readonly encrypted: string;
  /** `text`, `character varying(80)`: as format_type writes it, which quotes by itself. */
  readonly type: string;
  readonly indexes: readonly string[];
};

export function namesOf(field: Pick<Field, 'table' | 'column' | 'encryptedColumn' | 'columnType' | 'indexes'>): FieldNames {
  return {
    table: qualified(field.table),
    column: q(field.column),
    encrypted: q(field.encryptedColumn),
    type: field.columnType,
    indexes: field.indexes.map(({ column }) => q(column)),
  };
}

/** PostgreSQL cuts longer names, and two of ours could then be one. */
const LONGEST_NAME = 63;

/** Of an object of ours that belongs to a field: unique by the field's id, not by names that may be long or change. */
export function objectName(kind: string, { id }: Pick<Field, 'id'>): string {
  return `zz_safekeep_${kind}_${id.replaceAll('-', '').slice(-12)}`;
}

export function encryptedName(column: string): string {
  return suffixed(column, '_encrypted');
}

export function indexName(column: string, kind: string, version = FIRST_INDEX_VERSION): string {
  return suffixed(column, `_${kind}_index${version === FIRST_INDEX_VERSION ? '' : `_${version}`}`);
}

/** `unique` keeps the whole hash. */
export function indexColumnType({ kind }: Pick<FieldIndex, 'kind'>): string {
  return kind === 'unique' ? 'pg_catalog.bytea' : 'pg_catalog.int8';
}

function suffixed(column: string, suffix: string): string {
  let kept = column;
  while (Buffer.byteLength(kept + suffix) > LONGEST_NAME) kept = [...kept].slice(0, -1).join('');
  return kept + suffix;
}
