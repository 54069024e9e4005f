import { inTenant } from '@safekeep/postgres';
import { nextRate } from '../rules.ts';
import { writeProgress, type ReportedJob } from '../store/jobs.ts';
import { touchJobs } from '../store/queue.ts';
import { abortForDrain, lost } from './attempt.ts';
import type { Desk, Office } from './office.ts';

/** One heartbeat: says of every job here that it lives, tells those that are no longer ours, writes what progress was made. */
export async function beat(office: Office): Promise<void> {
  for (const desk of office.desks) if (desk.reachedCheckpoint) abortForDrain(desk);
  await Promise.all([beatHearts(office), report(office)]);
}

async function beatHearts({ desks, queue, log }: Office): Promise<void> {
  for (const [kind, held] of Map.groupBy(desks, ({ job }) => job.kind)) {
    const alive = await touchJobs(
      queue,
      kind,
      held.map(({ job }) => job),
    );
    for (const desk of held) {
      // Settled while we asked, or ended by its own handler: not lost.
      if (alive.has(desk.job.id) || desk.ended || !desks.has(desk) || desk.abort.signal.aborted) continue;
      log.warn('job-taken-away', { job: desk.job.id, attempt: desk.job.attempt });
      desk.abort.abort(lost(desk.job));
    }
  }
}

async function report({ desks, database, clock }: Office): Promise<void> {
  const atMs = clock.elapsedMs();
  const dirty = [...desks].filter(({ progressDirty }) => progressDirty);
  for (const [tenant, reports] of Map.groupBy(dirty, ({ job }) => job.tenant)) {
    const rows = reports.map((desk) => sampled(desk, atMs));
    await inTenant(database, tenant, (client) => writeProgress(client, tenant, rows));
  }
}

function sampled(desk: Desk, atMs: number): ReportedJob {
  const { job, sample } = desk;
  const { done, total, rate } = desk.progress ?? { done: 0, total: null, rate: null };
  const now = sample === undefined ? rate : (nextRate(rate ?? undefined, sample, { done, atMs }) ?? null);
  desk.sample = { done, atMs };
  desk.progress = { done, total, rate: now };
  desk.progressDirty = false;
  return { id: job.id, attempt: job.attempt, done, total, rate: now };
}
