import { isSafekeepError, SafekeepError } from '@safekeep/core';
import { inTenant } from '@safekeep/postgres';
import type { JobContext, JobKind, Json, StartedJob, Transaction } from '../model.ts';
import { readPayload } from '../rules.ts';
import { finishJobs, writeCheckpoint } from '../store/jobs.ts';
import { popJobs } from '../store/queue.ts';
import { sessionOf, setTenantOf } from '../store/transaction.ts';
import { rest, type Desk, type Office } from './office.ts';
import type { Ending } from './settle.ts';
import { POSTPONE_NEWER_MS } from './timing.ts';

/** Runs one start of a job to its end, whatever that is. Never throws. */
export async function runAttempt(office: Office, desk: Desk, kind: JobKind): Promise<Ending> {
  const { job } = desk;
  if (job.payloadVersion > kind.version) return { how: 'handed-back', delayMs: POSTPONE_NEWER_MS };
  let payload: Json;
  try {
    payload = readPayload(kind, job.payload, job.payloadVersion);
  } catch (error) {
    // The same payload will not fit the next time either.
    return { how: 'threw', error, final: true };
  }
  const over = new AbortController();
  const { abort } = desk;
  try {
    // `payload` was just validated with the schema that `run` was typed by.
    const handled = Promise.resolve(kind.run(contextOf(office, desk), payload as never)).then(
      (result): Ending => returned(result),
      (error: unknown): Ending => endingOfError(abort.signal, error),
    );
    return await Promise.race([handled, limitTime(office, desk, kind, over.signal)]);
  } catch (error) {
    // A handler that throws before its first await.
    return endingOfError(abort.signal, error);
  } finally {
    over.abort();
  }
}

/** A result that cannot be stored is found out here, where only this job suffers from it. */
function returned(result: Json | void): Ending {
  try {
    const text = JSON.stringify(result ?? null);
    // PostgreSQL has no room for U+0000 in jsonb.
    if (text.includes('\\u0000')) throw new TypeError('A result with U+0000 in it cannot be stored');
    return { how: 'returned', result: result ?? null };
  } catch (error) {
    return { how: 'threw', error };
  }
}

/** Resolves only when the handler has not obeyed its signal in time. */
async function limitTime(office: Office, { job, abort }: Desk, kind: JobKind, over: AbortSignal): Promise<Ending> {
  const seconds = kind.timeoutMs / 1_000;
  const ended = AbortSignal.any([over, abort.signal]);
  await rest(kind.timeoutMs, ended);
  if (!ended.aborted) abort.abort(new SafekeepError('job-timed-out', { job: job.id, seconds }));
  await rest(office.timing.graceMs, over);
  if (over.aborted) return await new Promise<never>(() => undefined);
  office.log.error('job-ignores-its-signal', { job: job.id, attempt: job.attempt });
  return endingOfError(abort.signal, abort.signal.reason);
}

/** What the handler threw matters only if it was not asked to stop. */
function endingOfError(signal: AbortSignal, error: unknown): Ending {
  if (!signal.aborted) return isSafekeepError(error, 'job-lost') ? { how: 'lost' } : { how: 'threw', error };
  const reason: unknown = signal.reason;
  if (isSafekeepError(reason, 'job-drained')) return { how: 'handed-back' };
  return isSafekeepError(reason, 'job-lost') ? { how: 'lost' } : { how: 'threw', error: reason };
}

function contextOf(office: Office, desk: Desk): JobContext {
  const { job, abort } = desk;
  const { clock, handlerDatabase: database, log, host } = office;
  return {
    id: job.id,
    tenant: job.tenant,
    attempt: job.attempt,
    signal: abort.signal,
    clock,
    database,
    log: log.child({ job: job.id, attempt: job.attempt }),
    ...(host === undefined ? {} : { host }),
    checkpoint: {
      read: () => desk.checkpoint,
      write: (value, options) => checkpoint(office, desk, value, options?.transaction),
    },
    progress: (done, total) => {
      if (!isCount(done) || (total !== undefined && !isCount(total)))
        throw new RangeError('Progress is told in whole numbers from 0');
      desk.progress = { done, total: total ?? desk.progress?.total ?? null, rate: desk.progress?.rate ?? null };
      desk.progressDirty = true;
    },
    complete: (transaction, result) => completeWithin(office, desk, transaction, result ?? null),
  };
}

async function checkpoint(office: Office, desk: Desk, value: Json, transaction: Transaction | undefined): Promise<void> {
  const { job } = desk;
  if (transaction === undefined) {
    const held = await inTenant(office.database, job.tenant, (client) => writeCheckpoint(sessionOf(client), job, value));
    if (!held) throw lost(job);
  } else {
    const session = sessionOf(transaction);
    await setTenantOf(session, job.tenant);
    if (!(await writeCheckpoint(session, job, value))) throw lost(job);
  }
  desk.checkpoint = value;
  if (!office.closing.aborted) return;
  // The safe place that a draining worker waits for. The handler's own transaction is given until the next heartbeat to commit.
  if (transaction === undefined) abortForDrain(desk);
  else desk.reachedCheckpoint = true;
}

async function completeWithin(office: Office, desk: Desk, transaction: Transaction, result: Json | null): Promise<void> {
  const { job, progress } = desk;
  const session = sessionOf(transaction);
  await setTenantOf(session, job.tenant);
  const finished = await finishJobs(session, job.tenant, [{ id: job.id, attempt: job.attempt, result, progress }]);
  if (!finished.has(job.id)) throw lost(job);
  await popJobs(office.queue, session, job.kind, [job]);
  desk.ended = true;
}

export function abortForDrain({ job, abort }: Desk): void {
  abort.abort(new SafekeepError('job-drained', { job: job.id }));
}

export function lost({ id }: Pick<StartedJob, 'id'>): SafekeepError {
  return new SafekeepError('job-lost', { job: id });
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
