import { setTimeout as wait } from 'node:timers/promises';
import type { TableRef } from '@safekeep/core';
import type { Database, Queryable } from '@safekeep/postgres';

const TRIES = 100;
const PAUSE_MS = 450;

export type Outlasting = {
  /** Only those that have written to it count; null where whoever has a key in its transaction may still write anywhere. */
  readonly table: TableRef | null;
  readonly tries?: number;
  readonly pauseMs?: number;
  readonly signal: AbortSignal;
};

/**
 * Waits until the transactions that are open now have ended: what they wrote under a key is seen by nobody before. Nobody waits for us.
 * False where one of them outlasts the patience.
 */
export async function outlastWriters(
  database: Database,
  { table, tries = TRIES, pauseMs = PAUSE_MS, signal }: Outlasting,
): Promise<boolean> {
  const open = await database.withClient((client) => openTransactions(client, table));
  for (let tried = 1; ; tried += 1) {
    if (!(await database.withClient((client) => isOneOpen(client, open)))) return true;
    if (tried >= tries) return false;
    await wait(pauseMs, undefined, { signal });
  }
}

/**
 * Transactions that others have open in this database, by their virtual ids: all of them, or those that have written to a table or its
 * partitions. Those that were prepared to be committed in two phases are among them. Who holds what is everybody's to see (manual,
 * pg_locks), so no lock is taken and nobody waits. A lease of Safekeep's over a field is none: it writes nothing.
 */
async function openTransactions(db: Queryable, table: TableRef | null): Promise<readonly string[]> {
  const { rows } = await db.query(
    `select distinct l.virtualtransaction as id
       from pg_catalog.pg_locks as l
      where l.granted and l.pid is distinct from pg_catalog.pg_backend_pid()
        and case when l.locktype = 'virtualxid' then $1::pg_catalog.text is null and l.mode = 'ExclusiveLock'
                      -- Workers of the server's own have no user, and a VACUUM writes no value.
                      and l.pid in (select a.pid from pg_catalog.pg_stat_activity as a where a.datname = pg_catalog.current_database() and a.usesysid is not null)
                      and l.pid not in (select v.pid from pg_catalog.pg_stat_progress_vacuum as v)
                 when l.locktype = 'relation' then l.mode in ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
                      and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())
                      and case when $1::pg_catalog.text is null then l.pid is null
                               else l.relation = pg_catalog.to_regclass(pg_catalog.format('%I.%I', $1::pg_catalog.text, $2::pg_catalog.text))
                                    or l.relation in (select p.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(pg_catalog.format('%I.%I', $1::pg_catalog.text, $2::pg_catalog.text))) as p) end
                 else false end
        and l.pid not in (select o.pid from pg_catalog.pg_locks as o
                           where o.locktype = 'advisory' and o.granted and o.pid is not null and (o.classid::pg_catalog.int8 << 32 | o.objid::pg_catalog.int8)
                                 in (select pg_catalog.hashtextextended('safekeep field ' || f.tenant_id || ' ' || f.field_id, 0) from safekeep.fields as f)) is not false`,
    [table?.schema ?? null, table?.table ?? null],
  );
  return (rows as readonly { readonly id: string }[]).map(({ id }) => id); // The statement names this column.
}

/** Whether one of these transactions has not ended. */
async function isOneOpen(db: Queryable, transactions: readonly string[]): Promise<boolean> {
  const { rows } = await db.query(
    'select exists (select from pg_catalog.pg_locks as l where l.virtualtransaction = any ($1)) as open',
    [transactions],
  );
  return (rows as readonly { readonly open: boolean }[])[0]?.open === true; // The statement names this column.
}
