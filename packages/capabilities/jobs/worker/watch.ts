import { SafekeepError } from '@safekeep/core';
import { inTenant } from '@safekeep/postgres';
import { LONGEST_BACKOFF_MS } from '../model.ts';
import { afterFailure, failureOf, retryDelayMs } from '../rules.ts';
import { interruptJob, lockIfFree } from '../store/jobs.ts';
import { dropJobs, giveBack, pullForward, readHeartbeats, withdraw, type Heartbeat } from '../store/queue.ts';
import type { Office } from './office.ts';

type Seen = { readonly beat: string; readonly looks: number };

/** What a watcher remembers between looks: how often each heartbeat was seen standing still. */
export type Watch = Map<string, Seen>;

/**
 * One look at the heartbeats of all workers. A job whose heartbeat stood still too often is taken from its worker: failed
 * if it had started, with everything that follows from a failure. Any number of workers may watch at the same time.
 */
export async function watchHeartbeats(office: Office, watch: Watch): Promise<void> {
  const { database, kinds, timing } = office;
  const heartbeats = await database.withClient((client) => readHeartbeats(client, [...kinds.keys()]));
  const seen: Watch = new Map();
  for (const heartbeat of heartbeats) {
    const name = `${heartbeat.id}:${heartbeat.retryCount}`;
    const before = watch.get(name);
    const looks = before?.beat === heartbeat.beat ? before.looks + 1 : 0;
    seen.set(name, { beat: heartbeat.beat, looks });
    if (looks >= timing.lostAfterLooks) await takeAway(office, heartbeat);
  }
  watch.clear();
  for (const [name, value] of seen) watch.set(name, value);
}

async function takeAway({ database, queue, kinds, log }: Office, heartbeat: Heartbeat): Promise<void> {
  const { tenant, kind: name, id } = heartbeat;
  const kind = kinds.get(name);
  if (kind === undefined) return;
  const failure = failureOf(new SafekeepError('job-worker-lost', { job: id }));
  await inTenant(database, tenant, async (client) => {
    const { exists, row } = await lockIfFree(client, tenant, id);
    // Taken out together with our schema.
    if (!exists) return await dropJobs(queue, client, name, [id]);
    // Its row is held: the zombie lives, or another watcher is at it.
    if (row === undefined) return;
    const state = row.state === 'running' ? afterFailure(row.tries, kind.retry) : 'queued';
    const delayMs = retryDelayMs(row.tries, kind.retry, Math.random());
    const held = state === 'dead' ? await withdraw(queue, client, heartbeat) : await giveBack(queue, client, heartbeat, delayMs);
    if (!held || row.state !== 'running') return;
    await interruptJob(
      client,
      { tenant, kind: name, id, attempt: row.attempt, retryCount: heartbeat.retryCount },
      { state, error: failure },
    );
    log.warn('job-worker-lost', { job: id, attempt: row.attempt, state });
  });
}

// Per round; what is left waits for the next.
const FORWARD_LIMIT = 1_000;

/** Makes up for a server clock that was set back: a pause measured with it would last as much longer. */
export async function watchClock({ database, kinds, log }: Office): Promise<void> {
  const count = await database.withClient((client) => pullForward(client, [...kinds.keys()], LONGEST_BACKOFF_MS, FORWARD_LIMIT));
  if (count > 0) log.warn('server-clock-set-back', { count });
}
