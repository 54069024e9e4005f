import type pg from 'pg';
import type { EventRow } from '../../model.ts';
import { EVENT_COLUMNS, isAbout, isBy, isOfRow } from '../../store/events.ts';
import { WORDS_OF_DETAILS } from '../../store/partitions.ts';
import type { EventFilter, Place } from '../model.ts';

const TIME = `'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'`;

/**
 * The questions that lead to few events by an index are answered in the order of time; all others in the order of the tree,
 * which needs no sorting of the whole log.
 */
function isSelective({ table, record, subject, actor }: EventFilter): boolean {
  return (table !== undefined && record !== undefined) || subject !== undefined || actor !== undefined;
}

/** Newest first unless `oldestFirst`. The place is where the page before ended. */
export async function findEvents(
  client: pg.ClientBase,
  tenant: string,
  filter: EventFilter,
  page: { readonly after?: Place; readonly limit: number; readonly oldestFirst?: boolean },
): Promise<readonly EventRow[]> {
  const { conditions, values } = conditionsOf(tenant, filter);
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const [direction, beyond] = page.oldestFirst === true ? (['asc', '>'] as const) : (['desc', '<'] as const);
  const byTime = isSelective(filter);
  if (page.after !== undefined) {
    const { at, era, index } = page.after;
    conditions.push(
      byTime
        ? `(e.at, e.era, e.leaf_index) ${beyond} (${bind(at)}::timestamptz, ${bind(era)}::integer, ${bind(index)}::bigint)`
        : `(e.era, e.leaf_index) ${beyond} (${bind(era)}::integer, ${bind(index)}::bigint)`,
    );
  }
  const order = [...(byTime ? ['at'] : []), 'era', 'leaf_index'].map((column) => `e.${column} ${direction}`).join(', ');
  const { rows } = await client.query<EventRow>(
    `select ${EVENT_COLUMNS} from safekeep.audit_events as e where ${conditions.join(' and ')} order by ${order} limit ${bind(page.limit)}`,
    values,
  );
  return rows;
}

/** How many events there are of each kind and action, and by whom. */
export type Tally = { readonly kind: string; readonly action: string; readonly table: string | null; readonly events: number };
export type ActorTally = {
  readonly actor: string | null;
  readonly attribution: string;
  readonly events: number;
  readonly first: string;
  readonly last: string;
};

export async function tallyEvents(client: pg.ClientBase, tenant: string, filter: EventFilter): Promise<readonly Tally[]> {
  const { conditions, values } = conditionsOf(tenant, filter);
  const { rows } = await client.query<Tally>(
    `select kind, action, table_name as "table", count(*)::float8 as events from safekeep.audit_events as e
      where ${conditions.join(' and ')} group by kind, action, table_name order by kind, table_name nulls first, action`,
    values,
  );
  return rows;
}

/** The busiest first, `limit` at most. */
export async function tallyActors(
  client: pg.ClientBase,
  tenant: string,
  filter: EventFilter,
  limit: number,
): Promise<readonly ActorTally[]> {
  const { conditions, values } = conditionsOf(tenant, filter);
  const { rows } = await client.query<ActorTally>(
    `select actor, attribution, count(*)::float8 as events,
            pg_catalog.to_char(min(at) at time zone 'UTC', ${TIME}) as first, pg_catalog.to_char(max(at) at time zone 'UTC', ${TIME}) as last
       from safekeep.audit_events as e where ${conditions.join(' and ')} group by actor, attribution order by count(*) desc, actor nulls first limit $${values.push(limit)}`,
    values,
  );
  return rows;
}

/** Stretches of the period without any event that are longer than `seconds`, longest first: a quiet night, or a log that stood still. */
export async function quietTimes(
  client: pg.ClientBase,
  tenant: string,
  { from, to, seconds, limit }: { readonly from: string; readonly to: string; readonly seconds: number; readonly limit: number },
): Promise<readonly { readonly from: string; readonly to: string; readonly seconds: number }[]> {
  const { rows } = await client.query<{ from: string; to: string; seconds: number }>(
    `with moments as (
       select at from safekeep.audit_events
        where tenant_id = $1 and at >= $2::timestamptz and at < $3::timestamptz and sequenced_at >= $2::timestamptz - interval '1 day'
       union all values ($2::timestamptz), (least($3::timestamptz, pg_catalog.now()))
     ), stretches as (select at, pg_catalog.lead(at) over (order by at) as next from moments)
     select pg_catalog.to_char(at at time zone 'UTC', ${TIME}) as from, pg_catalog.to_char(next at time zone 'UTC', ${TIME}) as to,
            extract(epoch from next - at)::float8 as seconds
       from stretches where next - at > pg_catalog.make_interval(secs => $4) order by next - at desc limit $5`,
    [tenant, from, to, seconds, limit],
  );
  return rows;
}

/** The newest event of Safekeep's own of each action of a kind in the period, and how many. An application can record events by the same names. */
export async function newestOwnOf(
  client: pg.ClientBase,
  tenant: string,
  filter: EventFilter,
): Promise<readonly (EventRow & { readonly events: number })[]> {
  const { conditions, values } = conditionsOf(tenant, filter);
  const { rows } = await client.query<EventRow & { events: number }>(
    `select distinct on (e.action) ${EVENT_COLUMNS}, count(*) over (partition by e.action)::float8 as events from safekeep.audit_events as e where ${conditions.join(' and ')} and e.attribution = 'system' order by e.action, e.era desc, e.leaf_index desc`,
    values,
  );
  return rows;
}

function conditionsOf(tenant: string, filter: EventFilter): { readonly conditions: string[]; readonly values: unknown[] } {
  const values: unknown[] = [];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const conditions = [`e.tenant_id = ${bind(tenant)}`];
  const { table, record, subject, actor, action, kind, purpose, request, from, to, text } = filter;
  if (table !== undefined && record !== undefined) conditions.push(isOfRow('$1', bind(table), bind(record)));
  else if (table !== undefined) conditions.push(`e.table_name = ${bind(table)}`);
  else if (record !== undefined) conditions.push(`e.record = ${bind(record)}`);
  if (subject !== undefined) conditions.push(isAbout('$1', bind(subject)));
  if (actor !== undefined) conditions.push(isBy('$1', bind(actor)));
  if (action !== undefined) conditions.push(`e.action = ${bind(action)}`);
  if (kind !== undefined) conditions.push(`e.kind = ${bind(kind)}`);
  if (purpose !== undefined) conditions.push(`e.purpose = ${bind(purpose)}`);
  if (request !== undefined) conditions.push(`e.request_id = ${bind(request)}`);
  // What happened at a time was sequenced later; a day for clocks that were set back. This leaves whole months out.
  if (from !== undefined)
    conditions.push(`e.at >= ${bind(from)}::timestamptz and e.sequenced_at >= ${bind(from)}::timestamptz - interval '1 day'`);
  if (to !== undefined) conditions.push(`e.at < ${bind(to)}::timestamptz`);
  if (text !== undefined)
    conditions.push(`${WORDS_OF_DETAILS} @@ pg_catalog.websearch_to_tsquery('simple'::pg_catalog.regconfig, ${bind(text)})`);
  return { conditions, values };
}
