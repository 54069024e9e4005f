import { setImmediate } from 'node:timers/promises';
import { codeOf, isSafekeepError, SafekeepError } from '@safekeep/core';
import { inTenant, isConnectionLost } from '@safekeep/postgres';
import type { Json, StartedJob } from '../model.ts';
import { afterFailure, failureOf, retryDelayMs } from '../rules.ts';
import { finishJobs, interruptJob, readJob, type DoneJob } from '../store/jobs.ts';
import { giveBack, popJobs, withdraw } from '../store/queue.ts';
import { sessionOf } from '../store/transaction.ts';
import { rest, type Desk, type Office } from './office.ts';
import { PAUSE_AFTER_ERROR_MS } from './timing.ts';

/** How a handler ended. */
export type Ending =
  | { readonly how: 'returned'; readonly result: Json | null }
  | { readonly how: 'threw'; readonly error: unknown; readonly final?: boolean }
  | { readonly how: 'handed-back'; readonly delayMs?: number }
  /** Cancelled or taken over: there is nothing left that we may write. */
  | { readonly how: 'lost' };

type Waiting = { readonly desk: Desk; readonly result: Json | null; readonly told: PromiseWithResolvers<void> };

/** Writes down how jobs ended. */
export type Settler = { readonly settle: (desk: Desk, ending: Ending) => Promise<void> };

// Rows of one statement; more than any worker runs at a time.
const LARGEST_GROUP = 500;

/**
 * Jobs that end while another group is being written are written together as the next one, as a database does with commits:
 * nobody waits for company, and a thousand small jobs cost tens of transactions.
 */
export function openSettler(office: Office): Settler {
  const waiting = new Map<string, Waiting[]>();
  const busy = new Set<string>();
  const settleDone = (desk: Desk, result: Json | null): Promise<void> => {
    const group = `${desk.job.tenant}/${desk.job.kind}`;
    const told = Promise.withResolvers<void>();
    waiting.set(group, [...(waiting.get(group) ?? []), { desk, result, told }]);
    if (!busy.has(group)) void drainGroup(group);
    return told.promise;
  };
  const drainGroup = async (group: string): Promise<void> => {
    busy.add(group);
    // Jobs that end in the same turn of the event loop are one group from the start.
    await setImmediate();
    for (let queue = waiting.get(group); queue !== undefined && queue.length > 0; queue = waiting.get(group)) {
      const now = queue.slice(0, LARGEST_GROUP);
      waiting.set(group, queue.slice(LARGEST_GROUP));
      await writeDone(office, now);
      for (const { told } of now) told.resolve();
    }
    waiting.delete(group);
    busy.delete(group);
  };
  return {
    settle: async (desk, ending) => {
      if (ending.how === 'lost') return;
      if (ending.how === 'returned') return desk.ended ? await settleEnded(office, desk) : await settleDone(desk, ending.result);
      await persist(office, () => interrupt(office, desk, ending));
    },
  };
}

async function writeDone(office: Office, group: readonly Waiting[]): Promise<void> {
  const [first] = group;
  if (first === undefined) return;
  const { tenant, kind } = first.desk.job;
  const done = group.map(({ desk, result }): DoneJob => ({
    id: desk.job.id,
    attempt: desk.job.attempt,
    result,
    progress: desk.progress,
  }));
  await persist(office, () =>
    inTenant(office.database, tenant, async (client) => {
      const session = sessionOf(client);
      const finished = await finishJobs(session, tenant, done);
      const claims = group.map(({ desk }) => desk.job).filter(({ id }) => finished.has(id));
      if (claims.length > 0) await popJobs(office.queue, session, kind, claims);
    }),
  );
}

/** The handler said that it ended the job in its own transaction. Believed only when that stands in the database. */
async function settleEnded(office: Office, desk: Desk): Promise<void> {
  const { tenant, id, attempt } = desk.job;
  await persist(office, async () => {
    const row = await inTenant(office.database, tenant, (client) => readJob(client, tenant, id));
    if (row?.state !== 'running' || row.attempt !== attempt) return;
    await interrupt(office, desk, { how: 'threw', error: new SafekeepError('job-not-committed', { job: id }) });
  });
}

async function interrupt(office: Office, desk: Desk, ending: Extract<Ending, { how: 'threw' | 'handed-back' }>): Promise<void> {
  const { job } = desk;
  const kind = office.kinds.get(job.kind);
  if (kind === undefined) throw new Error(`A ${job.kind} job was started without its kind`);
  const error = ending.how === 'threw' ? failureOf(ending.error) : undefined;
  const state = ending.how === 'handed-back' ? 'queued' : ending.final === true ? 'dead' : afterFailure(job.tries, kind.retry);
  const delayMs = ending.how === 'handed-back' ? (ending.delayMs ?? 0) : retryDelayMs(job.tries, kind.retry, Math.random());
  await inTenant(office.database, job.tenant, async (client) => {
    // Ours first, pg-boss's second: everybody locks in this order.
    if (!(await interruptJob(client, job, { state, error, progress: desk.progress }))) return;
    const held = state === 'dead' ? await withdraw(office.queue, client, job) : await giveBack(office.queue, client, job, delayMs);
    // Somebody changed pg-boss's tables by hand. `jobs retry` brings the two together again.
    if (!held) office.log.error('job-unknown-to-queue', { job: job.id, attempt: job.attempt });
  });
  logInterruption(office, job, state, ending);
}

function logInterruption({ log }: Office, { id, attempt }: StartedJob, state: 'queued' | 'failed' | 'dead', ending: Ending): void {
  if (ending.how === 'threw') log.warn('job-attempt-failed', { job: id, attempt, state, error: ending.error });
  else log.info('job-handed-back', { job: id, attempt });
}

/**
 * Goes on trying while the database is away: the fence decides in the end whether the attempt still counts. Anything else is
 * a bug; the job then shows no heartbeat any more, and is treated like one whose worker was lost.
 */
async function persist(office: Office, write: () => Promise<void>): Promise<void> {
  while (!office.closed.aborted) {
    try {
      return await write();
    } catch (error) {
      office.log.error('job-settle-failed', { error });
      if (!isPassing(error)) return;
      await rest(PAUSE_AFTER_ERROR_MS, office.closed);
    }
  }
}

/** SQLSTATE classes: connection, resources, operator intervention; serialization, deadlock, lock not available. */
const PASSING = /^(08|53|57|40|55P03|E[A-Z]+$)/;

function isPassing(error: unknown): boolean {
  return (
    isConnectionLost(error) || (isSafekeepError(error) && error.code.startsWith('database-')) || PASSING.test(codeOf(error) ?? '')
  );
}
