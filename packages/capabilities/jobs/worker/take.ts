import type pg from 'pg';
import type { ErrorCode } from '@safekeep/core';
import { setTenant } from '@safekeep/postgres';
import type { JobId, JobKind, StartedJob } from '../model.ts';
import { beginJobs, findOpenJobs } from '../store/jobs.ts';
import { dropJobs, giveBack, pullJobs, type PulledJob } from '../store/queue.ts';
import { inTransaction } from '../store/transaction.ts';
import type { Office } from './office.ts';
import { POSTPONE_MS } from './timing.ts';

/** The mark of a job whose worker vanished in the middle of it. */
const SUSPECT = 'job-worker-lost' satisfies ErrorCode;

/** Takes jobs from the queue and starts them, in one transaction: a job is either queued or counted as started, never between. */
export async function takeJobs(office: Office, kind: JobKind, slots: number): Promise<readonly StartedJob[]> {
  const { perTenant, overall } = kind.concurrency;
  return await inTransaction(office.database, async (client) => {
    const pulled = await pullJobs(office.queue, client, kind.kind, { slots, perTenant, overall });
    const started: StartedJob[] = [];
    // In order of tenants: two workers that lock rows of the same tenants do it in the same order.
    const byTenant = [...Map.groupBy(pulled, ({ tenant }) => tenant)].toSorted(([a], [b]) => a.localeCompare(b));
    for (const [tenant, jobs] of byTenant) {
      office.tenants.add(tenant);
      await setTenant(client, tenant);
      started.push(
        ...(await startJobs(office, client, { kind: kind.kind, tenant, jobs, suspects: suspectsAllowed(office, started) })),
      );
    }
    return started;
  });
}

/**
 * A job that kills its process takes all others of that process down with it, and they all count as suspects then. One
 * suspect at a time in a process: the innocent ones do not sit beside the guilty one again, and end well.
 */
function suspectsAllowed({ desks }: Office, started: readonly StartedJob[]): 0 | 1 {
  const present = started.some(({ suspect }) => suspect) || [...desks].some(({ job }) => job.suspect);
  return present ? 0 : 1;
}

type Share = { readonly kind: string; readonly tenant: string; readonly jobs: readonly PulledJob[]; readonly suspects: number };

async function startJobs(
  { queue, log }: Office,
  client: pg.ClientBase,
  { kind, tenant, jobs, suspects }: Share,
): Promise<readonly StartedJob[]> {
  const ids = jobs.map(({ id }) => id);
  const begun = new Map((await beginJobs(client, tenant, ids, { suspects, suspectCode: SUSPECT })).map((row) => [row.job_id, row]));
  const rest = jobs.filter(({ id }) => !begun.has(id));
  const open: ReadonlySet<JobId> =
    rest.length === 0
      ? new Set()
      : await findOpenJobs(
          client,
          tenant,
          rest.map(({ id }) => id),
        );
  const gone = rest.filter(({ id }) => !open.has(id)).map(({ id }) => id);
  if (gone.length > 0) {
    log.warn('jobs-without-a-row-dropped', { count: gone.length });
    await dropJobs(queue, client, kind, gone);
  }
  for (const job of rest) if (open.has(job.id)) await giveBack(queue, client, { kind, ...job }, POSTPONE_MS);
  return jobs.flatMap(({ id, retryCount }): StartedJob[] => {
    const row = begun.get(id);
    if (row === undefined) return [];
    const { attempt, tries, payload, payload_version: payloadVersion, checkpoint, error_code: code } = row;
    return [
      {
        tenant,
        kind,
        id,
        attempt,
        retryCount,
        tries,
        payload,
        payloadVersion,
        checkpoint: checkpoint ?? undefined,
        suspect: code === SUSPECT,
      },
    ];
  });
}
