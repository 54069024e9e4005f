import type pg from 'pg';
import type { SearchKind, TableRef } from '@safekeep/core';
import type { Frequency } from '../rules/frequency.ts';
import { q, qualified } from './names.ts';

export type FunctionSource = { readonly name: string; readonly source: string };

/** Functions of the user's whose source has both words in it. What they do with them only a reader can tell. */
export async function functionsMentioning(
  client: pg.ClientBase,
  { table, column }: TableRef & { readonly column: string },
): Promise<readonly FunctionSource[]> {
  const { rows } = await client.query<FunctionSource>(
    `select pg_catalog.format('%I.%I', n.nspname, p.proname) as name, coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc) as source
       from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'safekeep', 'safekeep_jobs', 'safekeep_auth')
        and p.prokind in ('f', 'p') and pg_catalog.strpos(coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc), $1) > 0
        and pg_catalog.strpos(coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc), $2) > 0
      order by 1 limit 100`,
    [table, column],
  );
  return rows;
}

/**
 * How often the search forms of a column occur: for each number of rows, how many forms stand in so many. Only counts leave
 * the database.
 */
export async function frequencies(
  client: pg.ClientBase,
  { column, kind, ...table }: TableRef & { readonly column: string; readonly kind: SearchKind },
): Promise<readonly Frequency[]> {
  const { rows } = await client.query<{ rows: string; times: string }>(
    `select n as rows, count(*) as times from
       (select count(*) as n from only ${qualified(table)} where ${FORMS[kind](q(column))} is not null group by ${FORMS[kind](q(column))}) as each
      group by n`,
  );
  return rows.map((row) => ({ rows: Number(row.rows), times: Number(row.times) }));
}

/** Close enough for counting; the forms themselves are made in canonical.ts. */
const FORMS: Readonly<Record<SearchKind, (column: string) => string>> = {
  exact: (column) => `${column}::text`,
  unique: (column) => `${column}::text`,
  last4: (column) => `nullif(pg_catalog.right(pg_catalog.regexp_replace(${column}::text, '[^0-9A-Za-z]', '', 'g'), 4), '')`,
  prefix: (column) => `nullif(pg_catalog.left(pg_catalog.ltrim(pg_catalog.lower(${column}::text)), 3), '')`,
  year: (column) => `extract(year from ${column})`,
  month: (column) => `pg_catalog.date_trunc('month', ${column}::timestamptz)`,
  soundex: (column) => `safekeep.search_form('soundex', ${column}::text, 'text')`,
};

/** What still keeps copies of rows beyond the table itself. */
export type Copies = {
  readonly replicas: number | null;
  readonly slots: readonly string[];
  readonly archiving: boolean;
  readonly deadRows: number;
  readonly statistics: boolean;
};

export async function copiesOf(
  client: pg.ClientBase,
  { column, ...table }: TableRef & { readonly column: string },
): Promise<Copies> {
  const { rows } = await client.query<{ replicas: number; slots: string[]; archiving: boolean; dead: string; statistics: boolean }>(
    `select (select count(*)::int4 from pg_catalog.pg_stat_replication) as replicas,
            array(select slot_name::text from pg_catalog.pg_replication_slots order by 1 limit 20) as slots,
            pg_catalog.current_setting('archive_mode') <> 'off' as archiving,
            coalesce(pg_catalog.pg_stat_get_dead_tuples(pg_catalog.to_regclass($1)), 0) as dead,
            exists (select from pg_catalog.pg_stats s where s.schemaname = $2 and s.tablename = $3 and s.attname = $4
                       and (s.most_common_vals is not null or s.histogram_bounds is not null)) as statistics`,
    [qualified(table), table.schema, table.table, column],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('A question without FROM was answered by no row');
  return {
    replicas: row.replicas,
    slots: row.slots,
    archiving: row.archiving,
    deadRows: Number(row.dead),
    statistics: row.statistics,
  };
}

/** Seconds that the slowest replica is behind; null where there is none, or where this login may not see it. */
export async function replicaLagSeconds(client: pg.ClientBase): Promise<number | null> {
  const { rows } = await client.query<{ seconds: number | null }>(
    'select max(extract(epoch from replay_lag))::float8 as seconds from pg_catalog.pg_stat_replication',
  );
  return rows[0]?.seconds ?? null;
}

/** Schemas of the user's, in order: neither PostgreSQL's nor Safekeep's, nor temporary ones. */
export async function userSchemas(client: pg.ClientBase): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select nspname as name from pg_catalog.pg_namespace
      where nspname !~ '^pg_' and nspname not in ('information_schema', 'safekeep', 'safekeep_jobs', 'safekeep_auth') order by 1`,
  );
  return rows.map(({ name }) => name);
}
