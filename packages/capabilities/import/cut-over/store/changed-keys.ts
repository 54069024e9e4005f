import type pg from 'pg';
import { quoteName, quoteTable } from '@safekeep/postgres';
import { keyForms } from '../columns.ts';
import type { FollowPair } from '../model.ts';

/** The keys of a round in the target: a temporary table, typed as the columns of the key. */
export type KeyedTable = { readonly schema: string; readonly pair: FollowPair; readonly keysTable: string };

/** Makes the empty table; gone with the transaction. Returns its columns, quoted. */
export async function createKeysTable(client: pg.ClientBase, { schema, pair, keysTable }: KeyedTable): Promise<string> {
  const names = keyNames(pair).join(', ');
  const target = quoteTable({ schema, table: pair.target });
  await client.query(`CREATE TEMP TABLE ${keysTable} ON COMMIT DROP AS SELECT ${names} FROM ${target} WITH NO DATA`);
  return names;
}

/** Deletes the rows with these keys. Two keys of the source may be one here (1 and 1.0), so each counts once. */
export async function deleteByKeys(client: pg.ClientBase, { schema, pair, keysTable }: KeyedTable): Promise<number> {
  const names = keyNames(pair).join(', ');
  const once = onceOf(keysTable);
  await client.query(`CREATE TEMP TABLE ${once} ON COMMIT DROP AS SELECT DISTINCT ${names} FROM pg_temp.${keysTable}`);
  // Without statistics the join might read the whole table for a few keys.
  await client.query(`ANALYZE pg_temp.${once}`);
  const { rowCount } = await client.query(
    `DELETE FROM ${quoteTable({ schema, table: pair.target })} AS t USING pg_temp.${once} AS k WHERE ${sameKey(pair)}`,
  );
  return rowCount ?? 0;
}

/** Makes a view of the rows that have these keys now; to be dropped by {@link dropView}. */
export async function createKeyedView(client: pg.ClientBase, { schema, pair, keysTable }: KeyedTable, view: string): Promise<void> {
  const columns = pair.form.columns.map(({ target }) => `t.${quoteName(target)}`).join(', ');
  await client.query(
    `CREATE TEMP VIEW ${view} AS SELECT ${columns} FROM ${quoteTable({ schema, table: pair.target })} AS t JOIN pg_temp.${onceOf(keysTable)} AS k ON ${sameKey(pair)}`,
  );
}

export async function dropView(client: pg.ClientBase, view: string): Promise<void> {
  await client.query(`DROP VIEW pg_temp.${view}`);
}

export function keyNames(pair: FollowPair): string[] {
  return keyForms(pair).map(({ target }) => quoteName(target));
}

function sameKey(pair: FollowPair): string {
  return keyNames(pair)
    .map((name) => `t.${name} = k.${name}`)
    .join(' AND ');
}

function onceOf(keysTable: string): string {
  return `${keysTable}_once`;
}
