import type { Db, PgBoss } from 'pg-boss';
import type { Static, TObject } from 'typebox';
import { newId, SafekeepError } from '@safekeep/core';
import type { Database } from '@safekeep/postgres';
import type { JobId, JobKind, Json, Transaction, TypedJobKind } from '../model.ts';
import { isSamePayload, validPayload } from '../rules.ts';
import { findJobsByKey, insertJobs, type NewJob } from '../store/jobs.ts';
import { pushJobs } from '../store/queue.ts';
import { ofKnownTenant } from '../store/tenant.ts';
import { inTransaction, sessionOf, setTenantOf } from '../store/transaction.ts';
import { queueFor } from './open-jobs.ts';

export type EnqueueOptions = {
  readonly tenant: string;
  /** At most 200 characters. The same key of the same kind twice is one job. */
  readonly key?: string;
  /** The job is there if and only if this is committed. */
  readonly transaction?: Transaction;
};

/** `isNew` false: a job with this key was there already, and this is its id. */
export type Enqueued = { readonly id: JobId; readonly isNew: boolean };

/**
 * Puts a job into the queue.
 *
 * @throws `job-payload-invalid`, `job-key-reused` (the key belongs to a job with another payload), `job-tenant-unknown`.
 */
export async function enqueue<Payload extends TObject>(
  database: Database,
  kind: TypedJobKind<Payload>,
  payload: Static<Payload>,
  options: EnqueueOptions,
): Promise<Enqueued> {
  const { key, tenant, transaction } = options;
  const [enqueued] = await enqueueBatch(database, kind, [{ payload, ...(key === undefined ? {} : { key }) }], {
    tenant,
    ...(transaction === undefined ? {} : { transaction }),
  });
  if (enqueued === undefined) throw new Error('One job was enqueued and none came back');
  return enqueued;
}

export type BatchItem<Payload extends TObject> = { readonly payload: Static<Payload>; readonly key?: string };

// Rows of one statement: few round trips, and no statement that is megabytes long.
const BATCH = 1_000;

/** Many at once, in order. Without a transaction of the caller's, each thousand is committed by itself. Throws as `enqueue`. */
export async function enqueueBatch<Payload extends TObject>(
  database: Database,
  kind: TypedJobKind<Payload>,
  items: readonly BatchItem<Payload>[],
  { tenant, transaction }: Omit<EnqueueOptions, 'key'>,
): Promise<readonly Enqueued[]> {
  const jobs = items.map(({ payload, key }): NewJob => {
    // What does not fit the schema is refused here, and what is left of it in JSON is what is stored.
    const plain = validPayload(kind, payload as Json);
    return { id: newId<'job'>(), payload: plain, key };
  });
  const queue = await queueFor(database, kind.kind);
  const enqueued: Enqueued[] = [];
  for (let start = 0; start < jobs.length; start += BATCH) {
    const batch = jobs.slice(start, start + BATCH);
    const insert = (session: Db): Promise<readonly Enqueued[]> => insertBatch(queue, session, kind, { tenant, jobs: batch });
    enqueued.push(
      ...(transaction === undefined
        ? await inTransaction(database, (client) => insert(sessionOf(client)))
        : await insert(sessionOf(transaction))),
    );
  }
  return enqueued;
}

async function insertBatch(
  queue: PgBoss,
  session: Db,
  kind: JobKind,
  { tenant, jobs }: { readonly tenant: string; readonly jobs: readonly NewJob[] },
): Promise<readonly Enqueued[]> {
  await setTenantOf(session, tenant);
  const inserted = await ofKnownTenant(tenant, () => insertJobs(session, tenant, kind, jobs));
  if (inserted.size > 0) {
    await pushJobs(
      queue,
      session,
      kind.kind,
      jobs.filter(({ id }) => inserted.has(id)).map(({ id }) => ({ id, tenant })),
    );
  }
  if (inserted.size === jobs.length) return jobs.map(({ id }) => ({ id, isNew: true }));
  const keys = jobs.flatMap(({ id, key }) => (key === undefined || inserted.has(id) ? [] : [key]));
  const existing = new Map((await findJobsByKey(session, tenant, kind.kind, keys)).map((job) => [job.idempotency_key, job]));
  return jobs.map(({ id, key, payload }) => {
    if (inserted.has(id)) return { id, isNew: true };
    const found = existing.get(key ?? '');
    if (found === undefined) throw new Error('A job was neither inserted nor found under its key');
    if (!isSamePayload(kind, payload, { payload: found.payload, version: found.payload_version })) {
      throw new SafekeepError('job-key-reused', { kind: kind.kind, job: found.job_id });
    }
    return { id: found.job_id, isNew: false };
  });
}
