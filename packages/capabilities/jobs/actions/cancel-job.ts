import type pg from 'pg';
import { codeOf, SafekeepError } from '@safekeep/core';
import { type Database, inTenant } from '@safekeep/postgres';
import type { JobId, JobState, JobView } from '../model.ts';
import { viewOf } from '../rules.ts';
import { lockJob, markCancelled, markQueued, readJob } from '../store/jobs.ts';
import { cancelQueued, requeue } from '../store/queue.ts';
import { queueFor } from './open-jobs.ts';

// For the transaction of a handler that is about to write a checkpoint.
const WAIT_MS = 2_000;

const CANCELLABLE: readonly JobState[] = ['queued', 'running', 'failed'];
const RETRIABLE: readonly JobState[] = ['failed', 'cancelled', 'dead'];

/**
 * Cancels a job. One that runs is told within a second, on whichever worker it is; from this moment nothing more of it can
 * be committed through its checkpoints.
 *
 * @throws `job-unknown`, `job-state`, `job-busy`.
 */
export async function cancelJob(database: Database, tenant: string, id: JobId): Promise<JobView> {
  return await change(database, { tenant, id, action: 'cancelling', from: CANCELLABLE }, async (client, kind) => {
    await markCancelled(client, tenant, id);
    await cancelQueued(await queueFor(database, kind), client, kind, id);
  });
}

/**
 * Puts a job that is over without being done, or that waits for its next attempt, back into the queue, with all its retries.
 * It goes on from its last checkpoint. Throws as `cancelJob`.
 */
export async function retryJob(database: Database, tenant: string, id: JobId): Promise<JobView> {
  return await change(database, { tenant, id, action: 'retrying', from: RETRIABLE }, async (client, kind) => {
    await markQueued(client, tenant, id);
    await requeue(await queueFor(database, kind), client, kind, { id, tenant });
  });
}

type Change = { readonly tenant: string; readonly id: JobId; readonly action: string; readonly from: readonly JobState[] };

async function change(
  database: Database,
  { tenant, id, action, from }: Change,
  write: (client: pg.ClientBase, kind: string) => Promise<void>,
): Promise<JobView> {
  // Before the transaction: it may have to make the schema, on a connection of its own.
  await queueFor(database);
  try {
    return await inTenant(database, tenant, async (client) => {
      const job = await lockJob(client, tenant, id, WAIT_MS);
      if (job === undefined) throw new SafekeepError('job-unknown', { job: id });
      if (!from.includes(job.state))
        throw new SafekeepError('job-state', { job: id, state: job.state, action, needed: from.join(' or ') });
      await write(client, job.kind);
      const row = await readJob(client, tenant, id);
      if (row === undefined) throw new Error('A job vanished while it was locked');
      return viewOf(row);
    });
  } catch (error) {
    // 55P03 lock_not_available.
    if (codeOf(error) === '55P03') throw new SafekeepError('job-busy', { job: id }, { cause: error });
    throw error;
  }
}
