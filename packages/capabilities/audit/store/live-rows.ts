import pg from 'pg';
import type { Capture, CapturedColumn, Values } from '../model.ts';
import { splitKey } from '../rules/key.ts';
import { joinByKey, keyText, pairs, printed } from './capture-sql.ts';

/** The table is not there as it was mapped, or this login may not read it: what it holds cannot be said. */
const UNREADABLE = new Set([
  '42P01',
  '42703',
  '42501',
  '3F000',
  '42883',
  '22P02',
  '22003',
  '22007',
  '42804',
  '42809',
  '42704',
  '42725',
]);

type Client = Pick<pg.ClientBase, 'query'>;
type Typed = { readonly name: string; readonly type: string };
/** Names of columns: of types of PostgreSQL's own, and of enumerated types, of which every value is known. */
type Trusted = { readonly builtIn: ReadonlySet<string>; readonly enumerated: ReadonlySet<string> };

/**
 * Locks a table of somebody else's so that its columns keep their types until the transaction ends, and tells which of these columns have the
 * type that was mapped, PostgreSQL's own or a domain over it. Of any other its owner may say what a cast or an operator does, and it would be
 * run as this login, which is stronger. Undefined for what is no table, since a view runs what its owner wrote, too, and where row security
 * keeps rows from this login: a row that it does not see is not one that is gone.
 */
async function trustedColumns(
  client: Client,
  { schema, name }: { readonly schema: string; readonly name: string },
  columns: readonly Typed[],
): Promise<Trusted | undefined> {
  const table = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`;
  await client.query(`lock table ${table} in access share mode`);
  const [builtIn, others] = [columns.filter(({ type }) => !type.includes('.')), columns.filter(({ type }) => type.includes('.'))];
  // By the row type and not by pg_attribute: this transaction may look at older catalogs than what its statements are understood by.
  const typesOf = (some: readonly Typed[]): string =>
    `array[${some.map((column) => `pg_catalog.pg_typeof((null::${table}).${pg.escapeIdentifier(column.name)})`).join(', ')}]::pg_catalog.regtype[]`;
  const { rows } = await client.query<{ name: string; enumerated: boolean }>(
    `with seen as (select from pg_catalog.pg_class as t where t.oid = pg_catalog.to_regclass($1) and t.relkind in ('r', 'p')
       and not pg_catalog.row_security_active(t.oid))
     select c.name, false as enumerated
       from rows from (pg_catalog.unnest($2::text[]), pg_catalog.unnest(${typesOf(builtIn)}), pg_catalog.unnest($3::pg_catalog.regtype[]))
              as c (name, found, mapped)
      where exists (select from seen)
        and c.mapped = (with recursive domains as (
              select c.found as type
              union all
              select t.typbasetype::pg_catalog.regtype from domains as d join pg_catalog.pg_type as t on t.oid = d.type where t.typtype = 'd'
            ) select d.type from domains as d join pg_catalog.pg_type as t on t.oid = d.type where t.typtype <> 'd')
     union all
     select c.name, true
       from rows from (pg_catalog.unnest($4::text[]), pg_catalog.unnest(${typesOf(others)})) as c (name, found)
       join pg_catalog.pg_type as t on t.oid = c.found and t.typtype = 'e'
      where exists (select from seen)
     union all select '', false from seen`,
    [table, builtIn.map((column) => column.name), builtIn.map(({ type }) => type), others.map((column) => column.name)],
  );
  if (rows.length === 0) return undefined;
  const named = (some: typeof rows): ReadonlySet<string> => new Set(some.map((row) => row.name));
  return { builtIn: named(rows.filter((row) => !row.enumerated)), enumerated: named(rows.filter((row) => row.enumerated)) };
}

/** A capture by which its table can be read as it stands now: columns of other types are printed, and neither cast nor compared. */
export async function readable(client: Client, capture: Capture): Promise<Capture | undefined> {
  const trusted = await trustedColumns(client, capture, [...capture.key, ...capture.columns]);
  if (trusted === undefined) return undefined;
  const seen = (column: CapturedColumn): CapturedColumn =>
    trusted.builtIn.has(column.name)
      ? { ...column, builtIn: true }
      : { ...column, builtIn: false, form: 'large', enumerated: trusted.enumerated.has(column.name) };
  return { ...capture, key: capture.key.map(seen), columns: capture.columns.map(seen) };
}

/**
 * The rows of a captured table by their keys, values as capture writes them. Undefined where the table cannot be read: then nothing
 * may be said about its rows, and the transaction goes on.
 */
export async function readLiveRows(
  client: pg.ClientBase,
  capture: Capture,
  records: readonly string[],
): Promise<ReadonlyMap<string, Values> | undefined> {
  if (capture.key.length === 0 || records.length === 0) return new Map();
  const parts = records.map(splitKey);
  const arrays = capture.key.map((_, place) => parts.map((each) => each[place] ?? null));
  const rows = await unlessUnreadable(client, async () => {
    const seen = await readable(client, capture);
    if (seen === undefined) return undefined;
    return (await client.query<{ record: string; values: Values }>(liveRows(seen), arrays)).rows;
  });
  return rows && new Map(rows.map(({ record, values }) => [record, values]));
}

function liveRows({ key, columns, schema, name }: Capture): string {
  return `select ${keyText(key, 'r')} as record, ${pairs(columns, 'r')} as values
    from unnest(${key.map((_, place) => `$${place + 1}::text[]`).join(', ')}) as k (${key.map((_, place) => `k${place}`).join(', ')})
    ${joinByKey({ schema, name }, key)}`;
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
  const wanted = next.map((column) => `safekeep.key_part(${printed(`r.${pg.escapeIdentifier(column)}`)})`).join(` || ',' || `);
  const statement = (trusted: Trusted): string => `select k.link, ${wanted} as next
    from unnest($1::text[], ${references.map((_, place) => `$${place + 2}::text[]`).join(', ')}) as k (link, ${names.join(', ')})
    ${joinByKey(
      { schema, name },
      references.map((column) => ({
        ...column,
        builtIn: trusted.builtIn.has(column.name),
        enumerated: trusted.enumerated.has(column.name),
      })),
    )}`;
  const rows = await unlessUnreadable(client, async () => {
    const trusted = await trustedColumns(client, { schema, name }, references);
    if (trusted === undefined) return undefined;
    return (await client.query<{ link: string; next: string | null }>(statement(trusted), [links, ...arrays])).rows;
  });
  return rows && new Map(rows.flatMap(({ link, next: found }) => (found === null ? [] : [[link, found]])));
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
