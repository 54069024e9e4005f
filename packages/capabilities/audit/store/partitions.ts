import type pg from 'pg';

/**
 * The words of the details of event `details`, as they are searched and indexed: 'simple' knows no language, so names and codes stay as
 * they are. Numbers and words, the names of columns too.
 */
export const WORDS_OF_DETAILS = `pg_catalog.jsonb_to_tsvector('simple'::pg_catalog.regconfig, coalesce(details, 'null'::pg_catalog.jsonb), '["all"]'::pg_catalog.jsonb)`;

type Client = Pick<pg.ClientBase, 'query'>;

export type Partition = { readonly name: string; readonly bounds: string; readonly rows: number; readonly sizeBytes: number };

export async function readPartitions(client: Client): Promise<readonly Partition[]> {
  const { rows } = await client.query<Partition>(
    'select name, bounds, rows::float8 as rows, size_bytes::float8 as "sizeBytes" from safekeep.audit_partition_health order by name',
  );
  return rows;
}

export async function makePartitions(client: Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ made: string[] }>('select safekeep.create_next_month_audit_partitions() as made');
  return rows[0]?.made ?? [];
}

/** Partitions whose whole month lies before `before` (`YYYY-MM-DD`), the oldest first: what is dropped must be the beginning of the trees. */
export async function readPartitionsBefore(
  client: Client,
  before: string,
): Promise<readonly { readonly name: string; readonly from: Date; readonly until: Date }[]> {
  const { rows } = await client.query<{ name: string; from: Date; until: Date }>(
    `select name, month::timestamptz as from, (month + interval '1 month')::timestamptz as until
       from (select name, to_date(right(name, 7), 'YYYY_MM')::timestamp as month from safekeep.audit_partition_health) as p
      where month + interval '1 month' <= $1::date order by name`,
    [before],
  );
  return rows;
}

/** Whether an event from this place of a tenant's log on was sequenced before a day. */
export async function hasEventsAfter(
  client: Client,
  {
    tenant,
    before,
    era,
    index,
  }: { readonly tenant: string; readonly before: string; readonly era: number; readonly index: number },
): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `select exists (select from safekeep.audit_events
                     where tenant_id = $1 and sequenced_at < $2::date and (era, leaf_index) >= ($3::integer, $4::bigint)) as found`,
    [tenant, before, era, index],
  );
  return rows[0]?.found === true;
}

/** Closed months without a whole index of their words. Months that hold nothing need none. */
export async function readUnindexed(client: Client, before: string): Promise<readonly string[]> {
  const months = await readPartitionsBefore(client, before);
  const { rows } = await client.query<{ name: string }>(
    `select p.name from pg_catalog.unnest($1::text[]) as p (name)
      where pg_catalog.pg_relation_size(('safekeep.' || pg_catalog.quote_ident(p.name))::pg_catalog.regclass) > 0
        and not exists (select from pg_catalog.pg_index as i join pg_catalog.pg_class as c on c.oid = i.indexrelid
                         where c.relname = p.name || '_words' and i.indisvalid
                           and i.indrelid = ('safekeep.' || pg_catalog.quote_ident(p.name))::pg_catalog.regclass)
      order by p.name`,
    [months.map(({ name }) => name)],
  );
  return rows.map(({ name }) => name);
}

/** Concurrently, and so outside of any transaction: erasures go on writing to closed months. */
export async function indexMonth(client: pg.ClientBase, month: string): Promise<void> {
  const name = client.escapeIdentifier(`${month}_words`);
  // What an index that was broken off left behind.
  await client.query(`drop index concurrently if exists safekeep.${name}`);
  await client.query(
    `create index concurrently ${name} on safekeep.${client.escapeIdentifier(month)} using gin ((${WORDS_OF_DETAILS}))`,
  );
}

/**
 * Drops a month. The trees still cover its events; their minimum index moves behind them. Answers the newest transaction of which an
 * attestation of that month tells, null where there is none.
 */
export async function dropPartition(client: pg.ClientBase, name: string): Promise<string | null> {
  const table = `safekeep.${client.escapeIdentifier(name)}`;
  const { rows } = await client.query<{ through: string | null }>(
    `select max((details ->> 'xid')::xid8)::text as through from ${table} where action in ('attested', 'capture-broken') and details ? 'xid'`,
  );
  await client.query(
    `update safekeep.audit_trees as t set minimum_index = greatest(t.minimum_index, p.below)
       from (select tenant_id, era, max(leaf_index) + 1 as below from ${table} group by 1, 2) as p
      where t.tenant_id = p.tenant_id and t.era = p.era`,
  );
  await client.query(`drop table ${table}`);
  return rows[0]?.through ?? null;
}

export type Minimum = { readonly origin: string; readonly minimumIndex: number };

/** What is gone of every era of a tenant's log. */
export async function readMinima(client: Client, tenant: string): Promise<readonly Minimum[]> {
  const { rows } = await client.query<Minimum>(
    `select origin, minimum_index::float8 as "minimumIndex" from safekeep.audit_trees
      where tenant_id = $1 and minimum_index > 0 order by era`,
    [tenant],
  );
  return rows;
}

/** The transaction that runs. */
export async function readTransaction(client: Client): Promise<string> {
  const { rows } = await client.query<{ xid: string }>('select pg_current_xact_id()::text as xid');
  return rows[0]?.xid ?? '0';
}
