import type pg from 'pg';
import { splitKey } from '../rules/key.ts';
import { readCaptures } from '../verification/store/standing.ts';

/** A place between two events of a tenant's log: what is before it was read. */
export type FeedPlace = { readonly era: number; readonly index: number };

/** A column of a table, by the external name of the latter. */
export type FeedColumn = { readonly table: string; readonly column: string };

export type Changes = {
  /** Keys of rows that were added, or in which the column changed, in the order of their first event, each of them once. */
  readonly keys: readonly (readonly string[])[];
  /** Rows came under other keys, which the log does not name in the open. */
  readonly moved: boolean;
  readonly to: FeedPlace;
  /** Whether there was more in the log than was read. */
  readonly more: boolean;
};

/** Events that are gone through for one page: few hundredths of a second, also where nothing of them is about the table. */
const EVENTS_A_PAGE = 20_000;

/** Whether changes of the column come into the log, by what the last apply left. Whether the triggers stand is for `attest` to say. */
export async function isFollowed(client: pg.ClientBase, tenant: string, { table, column }: FeedColumn): Promise<boolean> {
  const capture = (await readCaptures(client, tenant)).find((each) => each.table === table);
  return capture !== undefined && capture.key.length > 0 && capture.columns.some(({ name }) => name === column);
}

/** Where a feed begins that wants only what comes from now on. */
export async function endOfLog(client: pg.ClientBase, tenant: string): Promise<FeedPlace> {
  const { rows } = await client.query<FeedPlace>(
    'select era, size::float8 as index from safekeep.audit_trees where tenant_id = $1 order by era desc limit 1',
    [tenant],
  );
  return rows[0] ?? { era: 1, index: 0 };
}

/**
 * What changed in a column since a place of the log, as far as it is sequenced: leaves come in the order of commits, so that nothing
 * appears later before the place that is given back. Rows that were deleted since, or whose person was erased, are not told.
 */
export async function changesSince(
  client: pg.ClientBase,
  tenant: string,
  {
    table,
    column,
    key,
    from,
    limit,
  }: FeedColumn & { readonly key: readonly string[]; readonly from: FeedPlace; readonly limit: number },
): Promise<Changes> {
  const { rows: ends } = await client.query<FeedPlace & { events: number }>(
    `select era, leaf_index::float8 as index, pg_catalog.count(*) over ()::float8 as events
       from (select era, leaf_index from safekeep.audit_events
              where tenant_id = $1 and (era, leaf_index) >= ($2::integer, $3::bigint) order by era, leaf_index limit ${EVENTS_A_PAGE}) as e
      order by era desc, leaf_index desc limit 1`,
    [tenant, from.era, from.index],
  );
  const [end] = ends;
  if (end === undefined) return { keys: [], moved: false, to: from, more: false };
  // An insert names no columns: it has them all.
  const { rows: found } = await client.query<FeedPlace & { record: string | null; moved: boolean }>(
    `select era, leaf_index::float8 as index, record, coalesce(columns operator(pg_catalog.?|) $8::text[], false) as moved
       from safekeep.audit_events
      where tenant_id = $1 and (era, leaf_index) >= ($2::integer, $3::bigint) and (era, leaf_index) <= ($4::integer, $5::bigint)
        and kind = 'change' and table_name = $6
        and (action = 'insert' or action = 'update' and (columns operator(pg_catalog.?) $7 or columns operator(pg_catalog.?|) $8::text[]))
      order by era, leaf_index limit $9`,
    [tenant, from.era, from.index, end.era, end.index, table, column, key, limit],
  );
  const isFull = found.length === limit;
  const last = (isFull ? found.at(-1) : undefined) ?? end;
  const records = new Set(found.flatMap(({ record }) => (record === null ? [] : [record])));
  return {
    keys: [...records].map(splitKey),
    moved: found.some(({ moved }) => moved),
    to: { era: last.era, index: last.index + 1 },
    more: isFull || end.events === EVENTS_A_PAGE,
  };
}
