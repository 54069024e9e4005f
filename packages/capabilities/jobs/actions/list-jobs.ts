import { SafekeepError } from '@safekeep/core';
import { type Database, inTenant } from '@safekeep/postgres';
import type { JobId, JobPage, JobState, JobView } from '../model.ts';
import { viewOf } from '../rules.ts';
import { listJobs as listRows, readJob } from '../store/jobs.ts';

export type ListOptions = {
  readonly tenant: string;
  readonly state?: JobState | undefined;
  readonly kind?: string | undefined;
  readonly limit: number;
  /** The `next` of the page before. */
  readonly cursor?: JobId | undefined;
};

/** The jobs of a tenant, newest first. */
export async function listJobs(database: Database, { tenant, state, kind, limit, cursor }: ListOptions): Promise<JobPage> {
  // One more than asked for tells whether there is a next page.
  const filter = { state: state ?? null, kind: kind ?? null, before: cursor ?? null, limit: limit + 1 };
  const rows = await inTenant(database, tenant, (client) => listRows(client, tenant, filter));
  const page = rows.slice(0, limit);
  return { jobs: page.map(viewOf), next: rows.length > limit ? (page.at(-1)?.job_id ?? null) : null };
}

/** @throws `job-unknown`. */
export async function showJob(database: Database, tenant: string, id: JobId): Promise<JobView> {
  const row = await inTenant(database, tenant, (client) => readJob(client, tenant, id));
  if (row === undefined) throw new SafekeepError('job-unknown', { job: id });
  return viewOf(row);
}
