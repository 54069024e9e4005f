import pg from 'pg';
import { tableRef } from '@safekeep/core';
import { quoteName, quoteTable } from '@safekeep/postgres';
import type { Capture, CapturedColumn, Values } from '../model.ts';
import { splitKey } from '../rules/key.ts';
import { joinByKey, keyText, pairs, printed } from './capture/row-values.ts';

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

type Read = { readonly schema: string; readonly name: string; readonly columns: readonly Typed[] };

/**
 * Locks tables of somebody else's so that their columns keep their types until the transaction ends, and tells of each which of these columns have
 * the type that was mapped, PostgreSQL's own or a domain over it. Of any other its owner may say what a cast or an operator does, and it would be
 * run as this login, which is stronger. Undefined for what is no table, since a view runs what its owner wrote, too, and where row security
 * keeps rows from this login: a row that it does not see is not one that is gone.
 */
async function trustedColumns(client: Client, tables: readonly Read[]): Promise<readonly (Trusted | undefined)[]> {
  const names = tables.map((table) => quoteTable(tableRef(table)));
  await client.query(`lock table ${names.join(', ')} in access share mode`);
  const all = tables.flatMap(({ columns }, place) => columns.map(({ name, type }) => ({ place, name, type })));
  const [builtIn, others] = [all.filter(({ type }) => !type.includes('.')), all.filter(({ type }) => type.includes('.'))];
  // By the row type and not by pg_attribute: this transaction may look at older catalogs than what its statements are understood by.
  const typesOf = (some: typeof all): string =>
    `array[${some.map(({ place, name }) => `pg_catalog.pg_typeof((null::${names[place]}).${quoteName(name)})`).join(', ')}]::pg_catalog.regtype[]`;
  const { rows } = await client.query<{ place: number; name: string; enumerated: boolean }>(
    `with seen as (select s.place::integer - 1 as place from pg_catalog.unnest($1::text[]) with ordinality as s (name, place)
       join pg_catalog.pg_class as t on t.oid = pg_catalog.to_regclass(s.name) and t.relkind in ('r', 'p') and not pg_catalog.row_security_active(t.oid))
     select c.place, c.name, false as enumerated
       from rows from (pg_catalog.unnest($2::integer[]), pg_catalog.unnest($3::text[]), pg_catalog.unnest(${typesOf(builtIn)}), pg_catalog.unnest($4::pg_catalog.regtype[]))
              as c (place, name, found, mapped)
      where c.place in (select place from seen)
        and (c.mapped = c.found or c.mapped = (with recursive domains as (
              select c.found as type
              union all
              select t.typbasetype::pg_catalog.regtype from domains as d join pg_catalog.pg_type as t on t.oid = d.type where t.typtype = 'd'
            ) select d.type from domains as d join pg_catalog.pg_type as t on t.oid = d.type where t.typtype <> 'd'))
     union all
     select c.place, c.name, true
       from rows from (pg_catalog.unnest($5::integer[]), pg_catalog.unnest($6::text[]), pg_catalog.unnest(${typesOf(others)})) as c (place, name, found)
       join pg_catalog.pg_type as t on t.oid = c.found and t.typtype = 'e'
      where c.place in (select place from seen)
     union all select place, '', false from seen`,
    [
      names,
      builtIn.map(({ place }) => place),
      builtIn.map(({ name }) => name),
      builtIn.map(({ type }) => type),
      others.map(({ place }) => place),
      others.map(({ name }) => name),
    ],
  );
  return tables.map((_, place) => {
    const own = rows.filter((row) => row.place === place);
    if (own.length === 0) return undefined;
    const named = (some: typeof own): ReadonlySet<string> => new Set(some.map(({ name }) => name));
    return { builtIn: named(own.filter((row) => !row.enumerated)), enumerated: named(own.filter((row) => row.enumerated)) };
  });
}

/** A capture by which its table can be read as it stands now: columns of other types are printed, and neither cast nor compared. */
export async function readable(client: Client, capture: Capture): Promise<Capture | undefined> {
  return (await readableOf(client, [capture]))[0];
}

/** The same of several; what cannot be locked, because one of the tables is gone, fails for all. */
export async function readableOf(client: Client, captures: readonly Capture[]): Promise<readonly (Capture | undefined)[]> {
  if (captures.length === 0) return [];
  const trusted = await trustedColumns(
    client,
    captures.map(({ schema, name, key, columns }) => ({ schema, name, columns: [...key, ...columns] })),
  );
  return captures.map((capture, place) => {
    const known = trusted[place];
    if (known === undefined) return undefined;
    const seen = (column: CapturedColumn): CapturedColumn =>
      known.builtIn.has(column.name)
        ? { ...column, builtIn: true }
        : { ...column, builtIn: false, form: 'large', enumerated: known.enumerated.has(column.name) };
    return { ...capture, key: capture.key.map(seen), columns: capture.columns.map(seen) };
  });
}

/** Rows of a captured table by their keys, values as capture writes them. */
export type LiveRows = ReadonlyMap<string, Values>;

/** Undefined where the table cannot be read: then nothing may be said about its rows, and the transaction goes on. */
export async function readLiveRows(
  client: pg.ClientBase,
  capture: Capture,
  records: readonly string[],
): Promise<LiveRows | undefined> {
  return (await readLiveRowsOf(client, [{ capture, records }]))[0];
}

type Wanted = { readonly capture: Capture; readonly records: readonly string[] };

/** The same of several tables in their order. */
export async function readLiveRowsOf(client: pg.ClientBase, wanted: readonly Wanted[]): Promise<readonly (LiveRows | undefined)[]> {
  const asked = wanted.filter(({ capture, records }) => capture.key.length > 0 && records.length > 0);
  const found = new Map(await eachUnlessUnreadable(client, asked, readTogether));
  return wanted.map((each) => (asked.includes(each) ? found.get(each) : new Map()));
}

/** Of each what `read` answers, of all together where that can be; where it cannot, one after the other, and undefined of those that are in the way. */
export async function eachUnlessUnreadable<Item, Result>(
  client: pg.ClientBase,
  items: readonly Item[],
  read: (client: pg.ClientBase, items: readonly Item[]) => Promise<readonly Result[]>,
): Promise<readonly (readonly [Item, Result | undefined])[]> {
  if (items.length === 0) return [];
  const results = await unlessUnreadable(client, () => read(client, items));
  if (results !== undefined || items.length === 1) return items.map((item, place) => [item, results?.[place]] as const);
  const found: (readonly [Item, Result | undefined])[] = [];
  for (const item of items) found.push(...(await eachUnlessUnreadable(client, [item], read)));
  return found;
}

async function readTogether(client: pg.ClientBase, wanted: readonly Wanted[]): Promise<readonly (LiveRows | undefined)[]> {
  const seen = await readableOf(
    client,
    wanted.map(({ capture }) => capture),
  );
  const arrays: (string | null)[][] = [];
  const statements = wanted.flatMap(({ records }, place) => {
    const capture = seen[place];
    if (capture === undefined) return [];
    const parts = records.map(splitKey);
    const first = arrays.length + 1;
    arrays.push(...capture.key.map((_, at) => parts.map((each) => each[at] ?? null)));
    return [liveRows(capture, { place, first })];
  });
  const rows =
    statements.length === 0
      ? []
      : (await client.query<{ place: number; record: string; values: Values }>(statements.join('\nunion all\n'), arrays)).rows;
  return wanted.map((_, place) =>
    seen[place] === undefined
      ? undefined
      : new Map(rows.filter((row) => row.place === place).map(({ record, values }) => [record, values])),
  );
}

type Numbered = { readonly place: number; /** Of the parameters with the parts of the keys. */ readonly first: number };

function liveRows({ key, columns, ...table }: Capture, { place, first }: Numbered): string {
  return `select ${Math.trunc(place)} as place, ${keyText(key, 'r')} as record, ${pairs(columns, 'r')} as values
    from unnest(${key.map((_, at) => `$${first + at}::text[]`).join(', ')}) as k (${key.map((_, at) => `k${at}`).join(', ')})
    ${joinByKey(table, key)}`;
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
  const wanted = next.map((column) => `safekeep.key_part(${printed(`r.${quoteName(column)}`)})`).join(` || ',' || `);
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
    const [trusted] = await trustedColumns(client, [{ schema, name, columns: references }]);
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
