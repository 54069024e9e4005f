import pg from 'pg';
import type { Capture, CapturedColumn, Values } from '../model.ts';
import { splitKey } from '../rules/key.ts';
import { keyText, pairs } from './capture-sql.ts';

/** The table is not there as it was mapped, or this login may not read it: what it holds cannot be said. */
const UNREADABLE = new Set(['42P01', '42703', '42501', '3F000', '42883', '22P02', '22003', '22007', '42804']);

/**
 * The rows of a captured table by their keys, values as capture writes them. Undefined where the table cannot be read: then nothing
 * may be said about its rows, and the transaction goes on.
 */
export async function readLiveRows(
  client: pg.ClientBase,
  capture: Capture,
  records: readonly string[],
): Promise<ReadonlyMap<string, Values> | undefined> {
  const { key, schema, name } = capture;
  if (key.length === 0 || records.length === 0) return new Map();
  const parts = records.map(splitKey);
  const arrays = key.map((_, place) => parts.map((each) => each[place] ?? null));
  const names = key.map((_, place) => `k${place}`);
  const statement = `select ${keyText(key, 'r')} as record, ${pairs(capture.columns, 'r')} as values
    from unnest(${key.map((_, place) => `$${place + 1}::text[]`).join(', ')}) as k (${names.join(', ')})
    join ${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)} as r
      on ${key.map((column, place) => equals(column, 'r', `k.k${place}`)).join(' and ')}`;
  const rows = await unlessUnreadable(
    client,
    async () => (await client.query<{ record: string; values: Values }>(statement, arrays)).rows,
  );
  return rows && new Map(rows.map(({ record, values }) => [record, values]));
}

export type Step = {
  /** External parts of the table that the step arrives at. */
  readonly schema: string;
  readonly name: string;
  readonly references: readonly { readonly name: string; readonly type: string }[];
  /** Columns by which the way goes on. */
  readonly next: readonly string[];
};

/** One step of a path, from keys to the keys that the next one goes by. Undefined where the table cannot be read. */
export async function readStep(
  client: pg.ClientBase,
  { schema, name, references, next }: Step,
  links: readonly string[],
): Promise<ReadonlyMap<string, string> | undefined> {
  if (links.length === 0) return new Map();
  const parts = links.map(splitKey);
  const arrays = references.map((_, place) => parts.map((each) => each[place] ?? null));
  const names = references.map((_, place) => `k${place}`);
  const wanted = next.map((column) => `safekeep.key_part(r.${pg.escapeIdentifier(column)}::text)`).join(` || ',' || `);
  const statement = `select k.link, ${wanted} as next
    from unnest($1::text[], ${references.map((_, place) => `$${place + 2}::text[]`).join(', ')}) as k (link, ${names.join(', ')})
    join ${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)} as r
      on ${references.map((column, place) => equals(column, 'r', `k.k${place}`)).join(' and ')}`;
  const rows = await unlessUnreadable(
    client,
    async () => (await client.query<{ link: string; next: string | null }>(statement, [links, ...arrays])).rows,
  );
  return rows && new Map(rows.flatMap(({ link, next: found }) => (found === null ? [] : [[link, found]])));
}

/** Compared as the column's type, so that its index is used. */
function equals(column: Pick<CapturedColumn, 'name' | 'type'>, row: string, text: string): string {
  return `${row}.${pg.escapeIdentifier(column.name)} = ${text}::${column.type}`;
}

/** Undefined where the table cannot be read; the transaction goes on. */
export async function unlessUnreadable<Result>(
  client: Pick<pg.ClientBase, 'query'>,
  read: () => Promise<Result>,
): Promise<Result | undefined> {
  await client.query('savepoint reading');
  try {
    const result = await read();
    await client.query('release savepoint reading');
    return result;
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || !UNREADABLE.has(error.code ?? '')) throw error;
    await client.query('rollback to savepoint reading');
    return undefined;
  }
}
