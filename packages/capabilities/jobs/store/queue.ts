import type pg from 'pg';
import type { Db, PgBoss } from 'pg-boss';
import type { Claim, JobId } from '../model.ts';
import { QUEUE_SCHEMA } from './schema.ts';
import { sessionOf } from './transaction.ts';

// What pg-boss does for us: keep the order of what is due, give each job to one worker, group by tenant, remember heartbeats,
// run the schedules. What it keeps of a job is its id and its tenant.

// A job that is due at once is due since long ago: setting the server's clock back does not make it wait.
const LONG_DUE = '2000-01-01T00:00:00Z';
// Counted from the moment a job is due: no job is thrown away for waiting long. 68 years, the most an integer holds.
const KEEP_SECONDS = 2 ** 31 - 1;
// What is over is remembered in safekeep.jobs; here it only slows down what is not.
const DELETE_AFTER_SECONDS = 3_600;

export async function makeQueue(queue: PgBoss, kind: string): Promise<void> {
  await queue.createQueue(kind);
}

export async function pushJobs(
  queue: PgBoss,
  session: Db,
  kind: string,
  jobs: readonly { readonly id: JobId; readonly tenant: string }[],
): Promise<void> {
  const pushed = await queue.insert(
    kind,
    jobs.map(({ id, tenant }) => ({
      id,
      group: { id: tenant },
      startAfter: LONG_DUE,
      retentionSeconds: KEEP_SECONDS,
      deleteAfterSeconds: DELETE_AFTER_SECONDS,
      // Time limits and lost workers are our own matter (see worker/watch.ts): pg-boss measures both with the server's clock.
      expireInSeconds: KEEP_SECONDS,
    })),
    { db: session, returnId: true },
  );
  if (pushed?.length !== jobs.length) throw new Error(`pg-boss took ${pushed?.length ?? 0} of ${jobs.length} jobs`);
}

export type PulledJob = { readonly id: JobId; readonly tenant: string; readonly retryCount: number };

export type PullLimits = {
  readonly slots: number;
  readonly perTenant: number | undefined;
  readonly overall: number | undefined;
};

/** Takes what is due, in order, as far as the limits over all workers allow. */
export async function pullJobs(
  queue: PgBoss,
  client: pg.ClientBase,
  kind: string,
  { slots, perTenant, overall }: PullLimits,
): Promise<readonly PulledJob[]> {
  let batchSize = slots;
  if (perTenant !== undefined || overall !== undefined) {
    // Counting and taking are one step for all workers; what another has just taken is seen by the statements after this.
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`${QUEUE_SCHEMA} ${kind}`]);
  }
  if (overall !== undefined) batchSize = Math.min(slots, overall - (await countActive(client, kind)));
  if (batchSize < 1) return [];
  const jobs = await queue.fetch(kind, {
    batchSize,
    db: sessionOf(client),
    ...(perTenant === undefined ? {} : { groupConcurrency: perTenant }),
  });
  // pushJobs put both there: the id is one of ours, and the group is the tenant.
  return jobs.map(({ id, groupId, retryCount }) => ({ id: id as JobId, tenant: groupId ?? '', retryCount }));
}

async function countActive(client: pg.ClientBase, kind: string): Promise<number> {
  const { rows } = await client.query<{ active: number }>(
    `select count(*)::int as active from ${QUEUE_SCHEMA}.job where name = $1 and state = 'active' and group_id is not null`,
    [kind],
  );
  return rows[0]?.active ?? 0;
}

/** Fenced by pg-boss itself: a start that is not the newest is left alone. */
export async function popJobs(
  queue: PgBoss,
  session: Db,
  kind: string,
  claims: readonly Pick<Claim, 'id' | 'retryCount'>[],
): Promise<void> {
  await queue.complete(kind, claims.map(fenceOf), null, { db: session });
}

type Held = Pick<Claim, 'kind' | 'id' | 'retryCount'>;

/** Puts a job that is held back into the queue, due in `delayMs`. False when it is no longer held by this start. */
export async function giveBack(queue: PgBoss, client: pg.ClientBase, held: Held, delayMs: number): Promise<boolean> {
  if (!(await withdraw(queue, client, held))) return false;
  await putBack(queue, client, held, delayMs);
  return true;
}

/** Takes a job that is held out of the queue for now. False when it is no longer held by this start. */
export async function withdraw(queue: PgBoss, client: pg.ClientBase, held: Held): Promise<boolean> {
  const answer = await queue.cancel(held.kind, fenceOf(held), { db: sessionOf(client) });
  return settledIn(answer).has(held.id);
}

async function putBack(queue: PgBoss, client: pg.ClientBase, { kind, id }: Held, delayMs: number): Promise<void> {
  const db = sessionOf(client);
  await queue.resume(kind, id, { db });
  await queue.update(kind, undefined, { id, startAfter: delayMs === 0 ? LONG_DUE : `${(delayMs / 1_000).toFixed(3)} seconds`, db });
}

/** Takes a job out of the queue, whoever holds it. */
export async function cancelQueued(queue: PgBoss, client: pg.ClientBase, kind: string, id: JobId): Promise<void> {
  await queue.cancel(kind, id, { db: sessionOf(client) });
}

/** Puts a job back that was taken out, or that waits for its next attempt; pg-boss may have forgotten it meanwhile. */
export async function requeue(
  queue: PgBoss,
  client: pg.ClientBase,
  kind: string,
  { id, tenant }: { readonly id: JobId; readonly tenant: string },
): Promise<void> {
  const db = sessionOf(client);
  await queue.resume(kind, id, { db });
  const { updated } = await queue.update(kind, undefined, { id, startAfter: LONG_DUE, db });
  if (updated === 0) await pushJobs(queue, db, kind, [{ id, tenant }]);
}

/** Forgets jobs that have no row of ours any more, or whose row says that they are over. */
export async function dropJobs(queue: PgBoss, client: pg.ClientBase, kind: string, ids: readonly JobId[]): Promise<void> {
  await queue.deleteJob(kind, [...ids], { db: sessionOf(client) });
}

/** Says that these are alive. Returns the ids that are still held by this very start. */
export async function touchJobs(
  queue: PgBoss,
  kind: string,
  claims: readonly Pick<Claim, 'id' | 'retryCount'>[],
): Promise<ReadonlySet<string>> {
  return settledIn(await queue.touch(kind, claims.map(fenceOf)));
}

function settledIn(answer: object): ReadonlySet<string> {
  // pg-boss types its answer as an empty object, and means { jobs, requested, affected, settled }.
  const { settled } = answer as { readonly settled?: readonly string[] };
  if (settled === undefined) throw new Error('This pg-boss no longer tells which jobs it changed');
  return new Set(settled);
}

export type Heartbeat = PulledJob & { readonly kind: string; readonly beat: string };

/** The last sign of life of every job that is held, as text: it is compared, never calculated with. */
export async function readHeartbeats(client: pg.ClientBase, kinds: readonly string[]): Promise<readonly Heartbeat[]> {
  const { rows } = await client.query<Heartbeat>(
    `select name as kind, id, group_id as tenant, retry_count as "retryCount", heartbeat_on::text as beat
       from ${QUEUE_SCHEMA}.job where name = any($1) and state = 'active' and group_id is not null`,
    [kinds],
  );
  return rows;
}

/** Jobs that wait longer than any pause we ever set: the server's clock was set back since. Brings at most `limit` of them forward. */
export async function pullForward(
  client: pg.ClientBase,
  kinds: readonly string[],
  longestMs: number,
  limit: number,
): Promise<number> {
  const { rowCount } = await client.query(
    `update ${QUEUE_SCHEMA}.job set start_after = $4 where (name, id) in (
       select name, id from ${QUEUE_SCHEMA}.job
        where name = any($1) and state < 'active' and not blocked and start_after > now() + $2 * interval '1 millisecond'
        limit $3 for update skip locked
     )`,
    [kinds, longestMs, limit, LONG_DUE],
  );
  return rowCount ?? 0;
}

function fenceOf({ id, retryCount }: Pick<Claim, 'id' | 'retryCount'>): { id: string; retryCount: number } {
  return { id, retryCount };
}
