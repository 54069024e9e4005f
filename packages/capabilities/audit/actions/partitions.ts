import { dayOf, newId, SafekeepError, type Clock } from '@safekeep/core';
import { setTenant, type Database } from '@safekeep/postgres';
import { heldBy, type Period } from '../../holds/index.ts';
import type pg from 'pg';
import type { MarkOf } from '../keys/key-file.ts';
import { MONTHS_DROPPED, type Partitions } from '../model.ts';
import { dropMark } from '../rules/marks.ts';
import { orderAgain } from '../store/baselines.ts';
import {
  dropPartition,
  hasEventsAfter,
  indexMonth,
  makePartitions,
  readMinima,
  readPartitions,
  readPartitionsBefore,
  readTransaction,
  readUnindexed,
} from '../store/partitions.ts';
import { beginWriting, endWriting } from '../store/record.ts';
import { beginSequencing, commit, logBusy, readTrees } from '../store/sequencer.ts';
import { readBaselines } from '../verification/baseline.ts';
import { recordEventWithin } from './record-event.ts';

export async function listPartitions(database: Database): Promise<Partitions> {
  return await database.withClient(async (client) => {
    await beginWriting(client);
    const made = await makePartitions(client);
    const partitions = await readPartitions(client);
    await endWriting(client);
    return { partitions: [...partitions], made: [...made], dropped: [], indexed: [] };
  });
}

type Policy = {
  readonly keepMonths: number;
  /** The home's: nobody else may say that events were dropped by policy. */
  readonly markOf: MarkOf;
  /** Sequences, and so takes baselines that were ordered. */
  readonly sequence: () => Promise<unknown>;
};
type Order = { readonly tenant: string; readonly clock: Clock; readonly signal: AbortSignal; readonly policy?: Policy };

/** A month is closed a day after its end: what was committed in its last minutes is sequenced by then. */
const CLOSED_AFTER_MS = 86_400_000;

/** All that the months of the log need from time to time, as the owner of the log: those ahead, the indexes of closed ones, the end of old ones. */
export async function keepPartitions(database: Database, { tenant, clock, signal, policy }: Order): Promise<Partitions> {
  const { made } = await listPartitions(database);
  const { dropped } = policy === undefined ? { dropped: [] } : await dropOldPartitions(database, { tenant, clock, ...policy });
  const indexed = await indexClosedMonths(database, { now: clock.now(), signal });
  return { ...(await listPartitions(database)), made, dropped, indexed: [...indexed] };
}

/**
 * Full text over what is readable, on closed months only: on the month that is written to it would cost each event 150 to 280 bytes and the
 * sequencer its speed. Nobody waits for it; one that was broken off is begun again.
 */
async function indexClosedMonths(
  database: Database,
  { now, signal }: { readonly now: Date; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const closed = dayOf(new Date(now.getTime() - CLOSED_AFTER_MS));
  return await database.withClient(async (client) => {
    const indexed: string[] = [];
    for (const name of await readUnindexed(client, closed)) {
      signal.throwIfAborted();
      await indexMonth(client, name);
      indexed.push(name);
    }
    return indexed;
  });
}

type Drop = Policy & { readonly tenant: string; readonly clock: Clock };

/**
 * Drops the months that lie longer back than `keepMonths`. Their events are gone; the trees still cover them, and every checkpoint stays
 * valid. That they were dropped is an event itself. What they told of rows since the baseline of a table was taken goes with them: so it is taken
 * anew first, after its rows were held against the events that are about to go.
 *
 * @throws `audit-baseline-refused` where a table's rows are not as the log has them; `audit-partition-held` when a hold concerns that time; `lock-timeout` where a sequencer does not let the log go.
 */
export async function dropOldPartitions(
  database: Database,
  { tenant, keepMonths, markOf, clock, sequence }: Drop,
): Promise<Partitions> {
  const now = clock.now();
  const before = dayOf(new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - keepMonths, 1)));
  const isRenewed = await database.withClient(async (client) => {
    if (!(await beginSequencing(client, { isolation: 'read committed', wait: true }))) throw logBusy();
    const behind = await baselinesBehind(client, { tenant, before, markOf });
    await orderAgain(client, behind, { order: newId<'audit-baseline-order'>(), isForLater: false });
    await commit(client);
    return behind.length > 0;
  });
  if (isRenewed) await sequence();
  const dropped = await database.withClient(async (client) => {
    if (!(await beginSequencing(client, { isolation: 'read committed', wait: true }))) throw logBusy();
    const [behind] = await baselinesBehind(client, { tenant, before, markOf });
    if (behind !== undefined) throw new SafekeepError('audit-baseline-refused', { table: behind });
    const old = await readPartitionsBefore(client, before);
    // A month holds events of every tenant.
    const tenants = new Set([tenant, ...(await readTrees(client)).map((tree) => tree.tenant)]);
    let through: string | null = null;
    for (const { name, from, until } of old) {
      for (const each of tenants) await refuseHeld(client, { tenant: each, partition: name, period: { from, until } });
      through = (await dropPartition(client, name)) ?? through;
    }
    const partitions = old.map(({ name }) => name);
    // Where nothing tells how far transactions had come by the end of these months, everything until now may have been in them.
    through ??= await readTransaction(client);
    if (old.length > 0) await recordDrops(client, { tenants: [...tenants], partitions, through, markOf });
    await commit(client);
    return old.map(({ name }) => name);
  });
  return { ...(await listPartitions(database)), dropped };
}

type Behind = { readonly tenant: string; readonly before: string; readonly markOf: MarkOf };

/** Tables whose baseline is older than an event that is to be dropped. */
async function baselinesBehind(client: pg.ClientBase, { tenant, before, markOf }: Behind): Promise<readonly string[]> {
  if ((await readPartitionsBefore(client, before)).length === 0) return [];
  const tables = new Set<string>();
  for (const each of new Set([tenant, ...(await readTrees(client)).map((tree) => tree.tenant)])) {
    for (const [table, { taken, isEnded }] of await readBaselines(client, { tenant: each, markOf }))
      if (!isEnded && (await hasEventsAfter(client, { tenant: each, before, era: taken.era, index: taken.size })))
        tables.add(table);
  }
  return [...tables];
}

type Dropped = {
  readonly tenants: readonly string[];
  readonly partitions: readonly string[];
  readonly through: string;
  readonly markOf: MarkOf;
};

/**
 * In each tenant's own log, with the index below which events are gone, of every era: a verification compares it with what is missing. The
 * month in which an older era's drop was told may be among the dropped.
 */
async function recordDrops(client: pg.ClientBase, { tenants, partitions, through, markOf }: Dropped): Promise<void> {
  for (const tenant of tenants) {
    const told = { eras: await readMinima(client, tenant), through };
    await recordEventWithin(client, tenant, {
      kind: 'retention',
      action: MONTHS_DROPPED,
      details: { partitions, ...told, mark: dropMark(markOf, { tenant, ...told }) },
    });
  }
}

type Asked = { readonly tenant: string; readonly partition: string; readonly period: Period };

async function refuseHeld(client: pg.ClientBase, { tenant, partition, period }: Asked): Promise<void> {
  await setTenant(client, tenant);
  const [hold] = await heldBy(client, tenant, { period });
  if (hold !== undefined) throw new SafekeepError('audit-partition-held', { partition, hold: hold.id });
}
