import type pg from 'pg';
import type { SearchKind, TableRef } from '@safekeep/core';
import { quoteName, quoteTable } from '@safekeep/postgres';
import type { Frequency } from '../rules/frequency.ts';
import type { ReplicaLag } from '../rules/pace.ts';
import type { Surroundings } from '../rules/residue.ts';
import { rowsOf } from './names.ts';

/**
 * How often the search forms of a column occur: for each number of rows, how many forms stand in so many. Only counts leave
 * the database.
 */
export async function frequencies(
  client: pg.ClientBase,
  {
    column,
    kind,
    isPartitioned,
    ...table
  }: TableRef & { readonly column: string; readonly kind: SearchKind; readonly isPartitioned: boolean },
): Promise<readonly Frequency[]> {
  const { rows } = await client.query<{ rows: string; times: string }>(
    `select n as rows, count(*) as times from
       (select count(*) as n from ${rowsOf({ table, isPartitioned })} where ${FORMS[kind](quoteName(column))} is not null group by ${FORMS[kind](quoteName(column))}) as each
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
export async function copiesOf(
  client: pg.ClientBase,
  { column, ...table }: TableRef & { readonly column: string },
): Promise<Surroundings> {
  const { rows } = await client.query<{
    replicas: number;
    slots: string[];
    archiving: boolean;
    dead: string;
    statistics: boolean;
    audited: boolean;
  }>(
    `select (select count(*)::int4 from pg_catalog.pg_stat_replication) as replicas,
            array(select slot_name::text from pg_catalog.pg_replication_slots order by 1 limit 20) as slots,
            pg_catalog.current_setting('archive_mode') <> 'off' as archiving,
            coalesce(pg_catalog.pg_stat_get_dead_tuples(pg_catalog.to_regclass($1)), 0) + coalesce((
              select sum(pg_catalog.pg_stat_get_dead_tuples(p.relid)) from pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1)) as p where p.isleaf), 0) as dead,
            exists (select from pg_catalog.pg_stats s where s.schemaname = $2 and s.tablename = $3 and s.attname = $4
                       and (s.most_common_vals is not null or s.histogram_bounds is not null))
            -- Expressions of indexes that are made of it.
            or exists (select from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
                         join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attname = $4
                         join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = i.indexrelid
                              and d.refobjid = i.indrelid and d.refobjsubid = a.attnum
                         join pg_catalog.pg_stats s on s.schemaname = $2 and s.tablename = c.relname
                        where i.indrelid = pg_catalog.to_regclass($1) and i.indexprs is not null
                          and (s.most_common_vals is not null or s.histogram_bounds is not null))
            or exists (select from pg_catalog.pg_stats_ext_exprs s join pg_catalog.pg_statistic_ext x on x.stxname = s.statistics_name
                         join pg_catalog.pg_namespace n on n.oid = x.stxnamespace and n.nspname = s.statistics_schemaname
                         join pg_catalog.pg_attribute a on a.attrelid = x.stxrelid and a.attname = $4
                         join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass and d.objid = x.oid
                              and d.refobjid = x.stxrelid and d.refobjsubid = a.attnum
                        where x.stxrelid = pg_catalog.to_regclass($1) and (s.most_common_vals is not null or s.histogram_bounds is not null))
            or exists (select from pg_catalog.pg_stats_ext s, pg_catalog.array_position(s.attnames, $4::pg_catalog.name) as place,
                              pg_catalog.generate_subscripts(s.most_common_vals, 1) as nth
                        where s.schemaname = $2 and s.tablename = $3 and s.most_common_vals[nth][place] is not null) as statistics,
            exists (select from pg_catalog.pg_trigger where tgrelid = pg_catalog.to_regclass($1) and tgname = 'safekeep_audit_update') as audited`,
    [quoteTable(table), table.schema, table.table, column],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('A question without FROM was answered by no row');
  return {
    replicas: row.replicas,
    slots: row.slots,
    archiving: row.archiving,
    deadRows: Number(row.dead),
    statistics: row.statistics,
    audited: row.audited,
  };
}

/**
 * Whether somebody writes past our triggers, as the session_replication_role `replica` does: a subscription applies changes to the table or
 * a partition of it, or a login or the database has that role as its setting.
 */
export async function isWrittenPastTriggers(client: pg.ClientBase, table: TableRef): Promise<boolean> {
  const { rows } = await client.query<{ is: boolean }>(
    `select exists (select from pg_catalog.pg_subscription_rel as s
                     where s.srrelid = pg_catalog.to_regclass($1)
                        or s.srrelid in (select p.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1)) as p))
         or exists (select from pg_catalog.pg_db_role_setting as s
                     where 'session_replication_role=replica' = any (s.setconfig)
                       and s.setdatabase in (0, (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database()))) as is`,
    [quoteTable(table)],
  );
  return rows[0]?.is === true;
}

/** How far the slowest replica is behind in replaying. Statistics of replication are shown to pg_monitor only; others see no lag. */
export async function replicaLag(client: pg.ClientBase): Promise<ReplicaLag> {
  const { rows } = await client.query<{ seconds: number | null; bytes: string | null }>(
    `select max(extract(epoch from replay_lag))::float8 as seconds,
            max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), replay_lsn)) as bytes
       from pg_catalog.pg_stat_replication where state = 'streaming'`,
  );
  const [row] = rows;
  return row === undefined || row.bytes === null ? null : { seconds: row.seconds, bytes: Number(row.bytes) };
}

/** Transactions that this database has committed, of all sessions. Everybody may read that. */
export async function commitCount(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ count: string }>(
    'select xact_commit as count from pg_catalog.pg_stat_database where datname = pg_catalog.current_database()',
  );
  return Number(rows[0]?.count ?? 0);
}

/** Looks, one after the other, since somebody who comes and goes holds a lock for less than a millisecond. */
const LOOKS = 5;

/** Whether others are at work on a table just now: what they committed shows only after a second. Everybody may see who holds locks. */
export async function isInUse(client: pg.ClientBase, table: TableRef): Promise<boolean> {
  for (let look = 0; look < LOOKS; look += 1) {
    const { rows } = await client.query<{ used: boolean }>(
      `select exists (select from pg_catalog.pg_locks as l where l.relation = pg_catalog.to_regclass($1) and l.pid <> pg_catalog.pg_backend_pid()
                        and l.mode in ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
                        and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())) as used`,
      [quoteTable(table)],
    );
    if (rows[0]?.used === true) return true;
  }
  return false;
}
