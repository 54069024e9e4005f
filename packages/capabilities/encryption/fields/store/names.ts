import type { TableRef } from '@safekeep/core';
import { quoteName, quoteTable } from '@safekeep/postgres';
import type { Field, FieldIndex } from '../model.ts';

/** Where its rows are found: in all partitions, else in the table itself without what may inherit from it. */
export function rowsOf({ table, isPartitioned }: Pick<Field, 'table' | 'isPartitioned'>): string {
  return isPartitioned ? quoteTable(table) : `only ${quoteTable(table)}`;
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
    table: quoteTable(field.table),
    column: quoteName(field.column),
    encrypted: quoteName(field.encryptedColumn),
    type: field.columnType,
    indexes: field.indexes.map(({ column }) => quoteName(column)),
  };
}

/** Of an object of ours that belongs to a field: unique by the field's id, not by names that may be long or change. */
export function objectName(kind: string, { id }: Pick<Field, 'id'>): string {
  return `zz_safekeep_${kind}_${id.replaceAll('-', '').slice(-12)}`;
}

/** The index of the database over the column of a blind index. */
export function searchIndexName(field: Pick<Field, 'id'>, { kind, version }: Pick<FieldIndex, 'kind' | 'version'>): string {
  return objectName(`${kind}${version}`, field);
}

/**
 * Of triggers whose function lets the engine through anyway: asked here it costs a look at a setting for each row, and a call otherwise.
 * It comes last, so that rows of others that are let through are not asked.
 */
export const NOT_THE_ENGINE = `pg_catalog.current_setting('safekeep.engine', true) is distinct from 'on'`;

/** `unique` keeps the whole hash; what may be shown of a card number is text. */
export function indexColumnType({ kind }: Pick<FieldIndex, 'kind'>): string {
  if (kind === 'card_bin' || kind === 'card_last4') return 'pg_catalog.text';
  return kind === 'unique' ? 'pg_catalog.bytea' : 'pg_catalog.int8';
}

/** PostgreSQL cuts longer names, and would cut off what makes this one another. */
const LONGEST_NAME = 63;

/** `patients` is read in the clear as `patients_decrypted`. */
export function viewName({ table }: Pick<TableRef, 'table'>): string {
  let kept = table;
  while (Buffer.byteLength(kept) > LONGEST_NAME - DECRYPTED.length) kept = [...kept].slice(0, -1).join('');
  return kept + DECRYPTED;
}

export function viewOf({ table }: Pick<Field, 'table'>): string {
  return quoteTable({ schema: table.schema, table: viewName(table) });
}

const DECRYPTED = '_decrypted';
