import type pg from 'pg';
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
  /** The commonest values and bounds between which the others lie, some dozens, cut to length. */
  readonly values: readonly string[];
};

const COMMONEST_AT_MOST = 40;
/** Of the hundred bounds between which the other values lie every third: they are spread over all of them. */
const BOUNDS_STEP = 3;
const BOUNDS_AT_MOST = 34;
/** Longer values are prose; their beginning shows it. */
export const VALUE_LETTERS = 256;
/** Rows that are fetched at a time: a bound on memory however many columns there are. */
const PAGE_ROWS = 250;

/**
 * Statistics of all columns of these tables, over a cursor of the open transaction. Row security and missing rights leave columns
 * out (the view pg_stats sees to it); values only of types that can hold what is looked for.
 */
export async function* readStatistics(
  client: pg.ClientBase,
  tables: readonly number[],
): AsyncGenerator<readonly ColumnStatistics[]> {
  await client.query(
    `declare safekeep_statistics no scroll cursor for
     select c.oid as "tableOid", a.attnum as "column", s.null_frac as "nullShare", s.avg_width as "averageWidth", s.n_distinct as "distinct",
            case when t.typcategory in ('S', 'D', 'I', 'A') or t.typname in ('jsonb', 'uuid') then pg_catalog.array_to_json(array(
              -- Half a document cannot be taken apart: such are read from the rows.
              select distinct pg_catalog.left(v.value, ${VALUE_LETTERS}) from (
                select value from pg_catalog.unnest(s.most_common_vals::text::text[]) with ordinality as m (value, place) where place <= ${COMMONEST_AT_MOST}
                union all
                select value from pg_catalog.unnest(s.histogram_bounds::text::text[]) with ordinality as b (value, place)
                 where place % ${BOUNDS_STEP} = 1 and place <= ${BOUNDS_STEP * BOUNDS_AT_MOST}
                union all
                select value from pg_catalog.unnest(s.most_common_elems::text::text[]) with ordinality as e (value, place) where place <= ${COMMONEST_AT_MOST}
              ) as v where v.value is not null and (t.typname <> 'jsonb' or pg_catalog.length(v.value) <= ${VALUE_LETTERS}) order by 1))::text end as values
       from pg_catalog.pg_stats as s
       join pg_catalog.pg_namespace as n on n.nspname = s.schemaname
       join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = s.tablename
       join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attname = s.attname
       join pg_catalog.pg_type as t on t.oid = a.atttypid
      where c.oid = any ('{${tables.map((oid) => Math.trunc(oid)).join(',')}}'::pg_catalog.oid[]) and (c.relkind = 'p') = s.inherited`,
  );
  for (;;) {
    const { rows } = await client.query<Row>(`fetch ${PAGE_ROWS} from safekeep_statistics`);
    if (rows.length === 0) break;
    // The server made the array, of texts.
    yield rows.map(({ values, ...row }) => ({ ...row, values: values === null ? [] : (JSON.parse(values) as string[]) }));
  }
  await client.query('close safekeep_statistics');
}

type Row = Omit<ColumnStatistics, 'values'> & { readonly values: string | null };

/** How a table and its columns are used, as the server counted since its counters were reset. */
export type TableUse = {
  readonly tableOid: number;
  /** Scans of the table and its indexes. Null where the server does not count. */
  readonly reads: number | null;
  readonly liveRows: number;
  /** The counters began less than a day ago: then they say nothing. */
  readonly young: boolean;
};

export async function readUse(db: Queryable, tables: readonly number[], now: Date): Promise<readonly TableUse[]> {
  const { rows } = await db.query(
    `select s.relid as "tableOid", (coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0))::float8 as reads, s.n_live_tup::float8 as "liveRows",
            coalesce(d.stats_reset, pg_catalog.pg_postmaster_start_time()) > $2::timestamptz - interval '1 day' as young
       from pg_catalog.pg_stat_user_tables as s
       left join pg_catalog.pg_stat_database as d on d.datname = pg_catalog.current_database()
      where s.relid = any ($1)`,
    [tables, now],
  );
  // The statement above names these columns.
  return rows as readonly TableUse[];
}
