import type pg from 'pg';
import { parseTableName } from '@safekeep/core';
import { Parameters, quote, quoteTable } from './sql.ts';
import { arrays } from './traverse.ts';

/** What the statistics of a column hold of its values. */
export type SampledValues = {
  readonly table: string;
  readonly column: string;
  /** Null where its type keeps statistics of a kind of its own, which are not all to be seen. */
  readonly values: readonly string[] | null;
};

/** The most common values and the bounds of the histogram, one after the other. */
const SAMPLED = 's.most_common_vals::text::text[] || s.histogram_bounds::text::text[]';

/** What pg_stats shows of these columns. Columns without statistics are not among them. */
export async function sampledValues(
  client: pg.ClientBase,
  asked: readonly { readonly table: string; readonly columns: readonly string[] }[],
): Promise<readonly SampledValues[]> {
  const pairs = asked.flatMap(({ table, columns }) => columns.map((column) => ({ table, column })));
  const { rows } = await client.query<{ place: number; values: string[] | null; isSpecial: boolean }>(
    `select (asked.place - 1)::integer as place, ${SAMPLED} as values, t.typanalyze <> 0 as "isSpecial"
       from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]))
              with ordinality as asked (schema, name, "column", place)
       join pg_catalog.pg_namespace as n on n.nspname = asked.schema
       join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = asked.name
       join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attname = asked."column"
       join pg_catalog.pg_type as t on t.oid = a.atttypid
       join pg_catalog.pg_stats as s on s.schemaname = asked.schema and s.tablename = asked.name and s.attname = asked."column"
      where not s.inherited`,
    [
      pairs.map(({ table }) => parseTableName(table).schema),
      pairs.map(({ table }) => parseTableName(table).table),
      pairs.map(({ column }) => column),
    ],
  );
  return rows.flatMap(({ place, values, isSpecial }) => {
    const pair = pairs[place];
    return pair === undefined ? [] : [{ ...pair, values: isSpecial ? null : (values ?? []) }];
  });
}

/** A value that is common is among so many rows; to find one that is not would take as long as an ANALYZE. */
const ROWS_LOOKED_AT = 5_000;

/**
 * Whether each of these values of the statistics, by their places from 0, is found in other rows too, now that the person's are erased.
 * Compared within the database: nobody's value is sent, and none can come into the log of the server.
 */
export async function areOthersToo(
  client: pg.ClientBase,
  { table, column, places }: { readonly table: string; readonly column: string; readonly places: readonly number[] },
): Promise<boolean> {
  const { schema, table: name } = parseTableName(table);
  const parameters = new Parameters();
  const [schemaAt, nameAt, columnAt] = [schema, name, column].map((text) => parameters.add(text));
  const placesAt = parameters.add(places.map((place) => place + 1));
  const found = await arrays(
    client,
    `with wanted as materialized (
       select v.value from pg_catalog.pg_stats as s, pg_catalog.unnest(${SAMPLED}) with ordinality as v (value, place)
        where s.schemaname = ${schemaAt} and s.tablename = ${nameAt} and s.attname = ${columnAt} and not s.inherited
          and v.place = any (${placesAt}::bigint[])
     ), looked as (select t.${quote(column)}::text as value from ${quoteTable(table)} as t limit ${ROWS_LOOKED_AT})
     select (count(*) = ${parameters.add(places.length)} and bool_and(w.value in (select l.value from looked as l where l.value is not null)))::text
       from wanted as w`,
    parameters,
  );
  return found[0]?.[0] === 'true';
}

/**
 * Tables whose statistics somebody is making anew just now, perhaps from the rows as they were before: by the lock that an ANALYZE
 * holds until its statistics can be seen.
 */
export async function analyzedNow(client: pg.ClientBase, tables: readonly string[]): Promise<ReadonlySet<string>> {
  const refs = tables.map((name) => parseTableName(name));
  const { rows } = await client.query<{ place: number }>(
    `select (asked.place - 1)::integer as place
       from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) with ordinality as asked (schema, name, place)
       join pg_catalog.pg_namespace as n on n.nspname = asked.schema
       join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = asked.name
       join pg_catalog.pg_locks as l on l.relation = c.oid
      where l.locktype = 'relation' and l.granted and l.pid is distinct from pg_catalog.pg_backend_pid()
        and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())
        and l.mode in ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`,
    [refs.map(({ schema }) => schema), refs.map(({ table }) => table)],
  );
  return new Set(rows.map(({ place }) => tables[place] ?? ''));
}
