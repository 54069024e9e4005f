import pg from 'pg';
import { codeOf } from '@safekeep/core';
import { quoteTable } from '@safekeep/postgres';
import type { RecordKey } from '../model.ts';
import { columnOf, findTable } from './tables.ts';

/** Parts of a key as the row that has it writes them, else as their types do; undefined for what is no value of them. */
export async function writtenKey(
  client: pg.ClientBase,
  { table: name, key: names }: { readonly table: string; readonly key: readonly string[] },
  key: RecordKey,
): Promise<RecordKey | undefined> {
  const table = await findTable(client, name);
  const isThere = table !== undefined && names.every((each) => table.columns.some((column) => column.name === each));
  if (!isThere || names.length !== key.length) return undefined;
  const columns = names.map((each) => columnOf(table.columns, each));
  const values = columns.map(({ type }, place) => `$${place + 1}::text::${type}`);
  const matches = columns.map((column, place) => `t.${pg.escapeIdentifier(column.name)} = ${values[place] ?? ''}`);
  const own = `array[${columns.map((column) => `t.${pg.escapeIdentifier(column.name)}::text`).join(', ')}]`;
  const typed = `array[${values.map((value) => `(${value})::text`).join(', ')}]`;
  const rows = `select distinct ${own} as key from ${quoteTable(table)} as t where ${matches.join(' and ')} limit 2`;
  const written = await keys(client, `select ${typed} as key`, key);
  const [found, another] = written === undefined ? [] : ((await keys(client, rows, key)) ?? []);
  // Of several tenants, or of a type that takes several texts for the same: whoever asks for the row says that it is another text.
  return another === undefined && found !== undefined ? found : written?.[0];
}

/** Undefined where a part is no value of its type, or this login may not read the table. The database's own words would quote the value. */
async function keys(client: pg.ClientBase, text: string, key: RecordKey): Promise<readonly RecordKey[] | undefined> {
  await client.query('savepoint safekeep_key');
  try {
    const { rows } = await client.query<{ key: RecordKey }>(text, [...key]);
    return rows.map((row) => row.key);
  } catch (error) {
    const code = codeOf(error);
    // Class 22, data exception; 23514: a domain does not take it; 42501 insufficient_privilege: whoever reads the log need not read the table.
    if (code?.startsWith('22') !== true && code !== '23514' && code !== '42501') throw error;
    await client.query('rollback to savepoint safekeep_key');
    return undefined;
  }
}
