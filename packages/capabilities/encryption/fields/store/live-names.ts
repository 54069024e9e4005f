import type pg from 'pg';
import type { TableRef } from '@safekeep/core';
import { quoteName, quoteTable } from '@safekeep/postgres';
import type { Field, FieldIndex } from '../model.ts';
import { givenTrigger } from './index-definition.ts';
import { objectName } from './names.ts';

/** What a field is called in the database now, by the triggers and the check that know its columns by their numbers. */
export type LiveNames = {
  readonly table: TableRef;
  readonly column: string;
  readonly encryptedColumn: string;
  readonly indexes: readonly FieldIndex[];
};

/** By table: none while no triggers of the field stand or its table is gone, several where a table was copied with its triggers. */
export async function readLiveNames(client: pg.ClientBase, field: Field): Promise<readonly LiveNames[]> {
  const both = objectName('both', field);
  const wanted = [both, ...field.indexes.map((index) => givenTrigger(field, index))];
  const { rows } = await client.query<TableRef & { trigger: string; column: string; sealed: string | null }>(
    `select t.tgname as trigger, n.nspname as schema, c.relname as table, a.attname as column,
            (select e.attname from pg_catalog.pg_constraint as k join pg_catalog.pg_attribute as e on e.attrelid = k.conrelid and e.attnum = k.conkey[1]
              where k.conrelid = c.oid and k.conname = $2) as sealed
       from pg_catalog.pg_trigger as t
       join pg_catalog.pg_class as c on c.oid = t.tgrelid join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
       join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = t.tgattr[0] and not a.attisdropped
      where t.tgparentid = 0 and t.tgname::text = any ($1::text[])
      order by n.nspname, c.relname`,
    [wanted, objectName('sealed', field)],
  );
  return rows.flatMap(({ trigger, schema, table, column, sealed }) => {
    if (trigger !== both || sealed === null) return [];
    const known = new Map(rows.filter((row) => row.schema === schema && row.table === table).map((row) => [row.trigger, row]));
    const indexes = field.indexes.map((index) => ({
      ...index,
      column: known.get(givenTrigger(field, index))?.column ?? index.column,
    }));
    return [{ table: { schema, table }, column, encryptedColumn: sealed, indexes }];
  });
}

export async function renameColumn(
  client: pg.ClientBase,
  table: TableRef,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  if (from !== to) await client.query(`alter table ${quoteTable(table)} rename column ${quoteName(from)} to ${quoteName(to)}`);
}

/** Writes down what the table and the columns of a field are called from now on. */
export async function recordNames(
  client: pg.ClientBase,
  { tenant, id, table, column, encryptedColumn, indexes }: Field,
): Promise<void> {
  await client.query(
    `update safekeep.fields set table_schema = $3, table_name = $4, column_name = $5, encrypted_column = $6 where tenant_id = $1 and field_id = $2`,
    [tenant, id, table.schema, table.table, column, encryptedColumn],
  );
  for (const index of indexes)
    await client.query(
      'update safekeep.field_indexes set column_name = $5 where tenant_id = $1 and field_id = $2 and kind = $3 and version = $4',
      [tenant, id, index.kind, index.version, index.column],
    );
}
