// Schemas and maps for the tests of the rules: written as facts, since core knows no database.
import assert from 'node:assert/strict';
import { parseTableName } from '../../names.ts';
import type { MapFile } from '../file-schema.ts';
import type { DataMap } from '../model.ts';
import { readMap } from '../read.ts';
import {
  indexSchema,
  type ColumnFacts,
  type ForeignKeyFacts,
  type SchemaFacts,
  type SchemaIndex,
  type TableFacts,
} from '../schema-facts.ts';

type ColumnOf = Partial<ColumnFacts> & { readonly name: string };

export function column({ name, ...rest }: ColumnOf): ColumnFacts {
  return {
    name,
    type: rest.baseType ?? 'integer',
    baseType: 'integer',
    isArray: false,
    domain: null,
    enumLabels: null,
    notNull: false,
    identity: null,
    generated: null,
    privileges: { select: true },
    ...rest,
  };
}

/** `customer_id -> public.customers.id` as a foreign key. */
export function reference(text: string, more: Partial<ForeignKeyFacts> = {}): ForeignKeyFacts {
  const [from = '', target = ''] = text.split(' -> ');
  const split = target.lastIndexOf('.');
  const columns = from.split(', ');
  const { schema, table } = parseTableName(target.slice(0, split));
  return {
    name: `${columns.join('_')}_${table}_fkey`,
    columns,
    references: { schema, table, columns: target.slice(split + 1).split(', ') },
    onDelete: 'no-action',
    inherited: false,
    ...more,
  };
}

/** A table with a primary key on the first column unless said otherwise; columns by name alone are integers. */
export function table(name: string, columns: readonly (string | ColumnOf)[], more: Partial<TableFacts> = {}): TableFacts {
  const { schema, table: bare } = parseTableName(name);
  const made = columns.map((each) => column(typeof each === 'string' ? { name: each } : each));
  const [first] = made;
  return {
    schema,
    name: bare,
    kind: 'table',
    rowEstimate: -1,
    extension: null,
    partition: null,
    partitionKey: null,
    privileges: { select: true },
    columns: made.map((each) => (each === first ? { ...each, notNull: true } : each)),
    primaryKey: first === undefined ? null : { name: `${bare}_pkey`, columns: [first.name] },
    uniques: [],
    foreignKeys: [],
    checks: [],
    exclusions: [],
    indexes: [],
    ...more,
  };
}

export function schemaOf(...tables: readonly TableFacts[]): SchemaIndex {
  const facts: SchemaFacts = { tables };
  return indexSchema(facts);
}

export function mapOf(file: Omit<MapFile, 'version'>): DataMap {
  const reading = readMap({ version: 1, ...file });
  assert.ok('map' in reading, `the fixture is no map: ${JSON.stringify('faults' in reading ? reading.faults : [])}`);
  return reading.map;
}
