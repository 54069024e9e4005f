import type { Queryable } from '@safekeep/postgres';

/** What the server's own statistics say of a column, without a row of the table being read. */
export type ColumnStatistics = {
  readonly tableOid: number;
  readonly column: number;
  /** 0 to 1. */
  readonly nullShare: number;
  /** Bytes, with the length word. */
  readonly averageWidth: number;
  /** A count, or where it is negative a share of the rows. */
  readonly distinct: number;
  /** The commonest values and bounds between which the others lie, at most {@link VALUES_OF_STATISTICS}, cut to length. */
  readonly values: readonly string[];
};

const COMMONEST_AT_MOST = 60;
const BOUNDS_AT_MOST = 101;
export const VALUES_OF_STATISTICS = COMMONEST_AT_MOST + BOUNDS_AT_MOST;
/** Longer values are prose; their beginning shows it. */
export const VALUE_LETTERS = 256;
/** Rows that are fetched at a time: a bound on memory however many columns there are. */
const PAGE_ROWS = 500;

/**
 * Statistics of all columns of these tables. Row security and missing rights leave columns out (the view pg_stats sees to it);
 * values only of types that can hold what is looked for.
 */
export async function* readStatistics(db: Queryable, tables: readonly number[]): AsyncGenerator<readonly ColumnStatistics[]> {
  // The view itself, so that its rules about who may see what hold; asked for by page of tables.
  for (let from = 0; from < tables.length; from += PAGE_ROWS / 10) {
    const { rows } = await db.query(
      `select c.oid as "tableOid", a.attnum as "column", s.null_frac as "nullShare", s.avg_width as "averageWidth", s.n_distinct as "distinct",
              case when t.typcategory in ('S', 'D', 'I', 'A') or t.typname in ('jsonb', 'uuid') then
                coalesce((s.most_common_vals::text::text[])[1:$2], '{}') || coalesce((s.histogram_bounds::text::text[])[1:$3], '{}')
                || coalesce((s.most_common_elems::text::text[])[1:$3], '{}')
              else '{}' end as values
         from pg_catalog.pg_stats as s
         join pg_catalog.pg_namespace as n on n.nspname = s.schemaname
         join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = s.tablename
         join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attname = s.attname
         join pg_catalog.pg_type as t on t.oid = a.atttypid
        where c.oid = any ($1)`,
      [tables.slice(from, from + PAGE_ROWS / 10), COMMONEST_AT_MOST, BOUNDS_AT_MOST],
    );
    // The statement above names these columns.
    const page = rows as readonly ColumnStatistics[];
    yield page.map((row) => ({ ...row, values: [...new Set(row.values.map((value) => value.slice(0, VALUE_LETTERS)))] }));
  }
}

/** How a table and its columns are used, as the server counted since its counters were reset. */
export type TableUse = {
  readonly tableOid: number;
  /** Scans of the table and its indexes. Null where the server does not count. */
  readonly reads: number | null;
  readonly liveRows: number;
  /** The counters began less than a day ago: then they say nothing. */
  readonly young: boolean;
};

export async function readUse(db: Queryable, tables: readonly number[]): Promise<readonly TableUse[]> {
  const { rows } = await db.query(
    `select s.relid as "tableOid", (coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0))::float8 as reads, s.n_live_tup::float8 as "liveRows",
            coalesce(d.stats_reset, pg_catalog.pg_postmaster_start_time()) > pg_catalog.now() - interval '1 day' as young
       from pg_catalog.pg_stat_user_tables as s
       left join pg_catalog.pg_stat_database as d on d.datname = pg_catalog.current_database()
      where s.relid = any ($1)`,
    [tables],
  );
  // The statement above names these columns.
  return rows as readonly TableUse[];
}
