// The public face of jobs, listed by hand. Other capabilities and the composition roots import from here only.
import type { Capability } from '../capability.ts';
import { commandsFor } from './commands.ts';
import type { JobKind } from './model.ts';

export { enqueue, enqueueBatch, type BatchItem, type Enqueued, type EnqueueOptions } from './actions/enqueue.ts';
export { listJobs, showJob, type ListOptions } from './actions/list-jobs.ts';
export { prepareJobs } from './actions/open-jobs.ts';
export { installSchedules } from './actions/schedules.ts';
export {
  job,
  type Concurrency,
  type JobContext,
  type JobId,
  type JobKind,
  type JobPage,
  type JobState,
  type JobView,
  type Json,
  type RetryPolicy,
  type ScheduleView,
  type Transaction,
  type TypedJobKind,
} from './model.ts';
export { startWorker, type Worker, type WorkerOptions } from './worker/worker.ts';

/** The capability, over all kinds of job that the others bring. */
export function jobsOver(kinds: readonly JobKind[]): Capability {
  return { name: 'jobs', commands: commandsFor(kinds) };
}
