import type pg from 'pg';

/** How the log is doing, as far as the database can tell. */
export type LogHealth = {
  /** Tables that are captured. */
  readonly captures: number;
  /** Months ahead of this one for which there is a partition. */
  readonly monthsAhead: number;
  /** How long the oldest change has waited that no sequencer moved; null where none waits. */
  readonly waitingSeconds: number | null;
  /** Tables whose baseline could not be taken: their rows were not as the log has them, or could not be read. */
  readonly refused: readonly string[];
  /** The newest answer to whether capture stands, and how long ago that was; null where none of the newest events is one. */
  readonly attested: { readonly action: string; readonly secondsAgo: number } | null;
};

/** Attested each hour, a log with more than so many events in between is attested about as often as its events can be counted. */
const EVENTS_AT_MOST = 200_000;

/** For a login that may act as the owner: nobody else reads what waits. */
export async function readHealth(client: pg.ClientBase, tenant: string): Promise<LogHealth> {
  const { rows } = await client.query<LogHealth>(
    `select (select count(*) from safekeep.audit_captures where tenant_id = $1)::integer as captures,
            (select count(*) from safekeep.audit_partition_health where right(name, 7) > to_char(now() at time zone 'UTC', 'YYYY_MM'))::integer as "monthsAhead",
            (select extract(epoch from clock_timestamp() - min(i.at))::float8
               from (select xid, at from safekeep.audit_inbox_even union all select xid, at from safekeep.audit_inbox_odd) as i
               left join safekeep.audit_sequencer as s on s.tenant_id = '*'
              where s.done is null or not pg_visible_in_snapshot(i.xid, s.done)) as "waitingSeconds",
            (select coalesce(array_agg(b.table_name order by b.table_name), '{}') from safekeep.audit_baselines as b
              where b.tenant_id = $1 and not b.is_taken and b.refused_at is not null) as refused,
            (select jsonb_build_object('action', a.action, 'secondsAgo', extract(epoch from clock_timestamp() - a.at))
               from (select e.action, e.at, e.era, e.leaf_index from safekeep.audit_events as e
                      where e.tenant_id = $1 and e.era = t.era and e.leaf_index >= t.size - ${EVENTS_AT_MOST} order by e.leaf_index desc) as a
              where a.action in ('attested', 'capture-broken') order by a.leaf_index desc limit 1) as attested
       from (select 1) as one left join lateral (
         select era, size from safekeep.audit_trees where tenant_id = $1 order by era desc limit 1) as t on true`,
    [tenant],
  );
  const [found] = rows;
  if (found === undefined) throw new Error('The database did not tell how its log is doing');
  return found;
}
