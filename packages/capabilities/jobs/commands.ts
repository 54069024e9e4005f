import { Type } from '@safekeep/core/schema';
import { command, type Command, type CommandContext, type Frozen, type Ink } from '../capability.ts';
import { isMapping, parseId, SafekeepError } from '@safekeep/core';
import { cancelJob, retryJob } from './actions/cancel-job.ts';
import { listJobs, showJob } from './actions/list-jobs.ts';
import { listSchedules, removeSchedule, setSchedule } from './actions/schedules.ts';
import { JobPage, JobView, ScheduleView, StateFilter, type JobId, type JobKind } from './model.ts';

const id = { key: 'id', label: 'ID', description: 'as `jobs list` shows it' };
const JobInput = Type.Object({ id: Type.String() });
const Schedules = Type.Object({ schedules: Type.Array(ScheduleView) });
const LIMIT = 50;

/** The commands of the queue. `kinds` are all kinds of job that Safekeep knows: what may be scheduled. */
export function commandsFor(kinds: readonly JobKind[]): readonly Command[] {
  return [...jobCommands(), ...scheduleCommands(kinds)];
}

function jobCommands(): readonly Command[] {
  return [
    command({
      name: 'jobs list',
      summary: 'list the jobs of this tenant, newest first',
      input: Type.Object({
        state: StateFilter,
        kind: Type.Optional(Type.String({ description: 'only jobs of this kind' })),
        limit: Type.Integer({ default: LIMIT, minimum: 1, maximum: 1000, description: 'jobs at most' }),
        cursor: Type.Optional(Type.String({ description: 'where the page before ended' })),
      }),
      output: JobPage,
      example: 'safekeep jobs list --state running',
      run: async (context, { state, kind: only, limit, cursor }) => {
        const database = await context.database();
        const options = {
          tenant: context.tenant,
          state,
          kind: only,
          limit,
          cursor: cursor === undefined ? undefined : idOf(cursor, '--cursor takes what the page before ended with, as `next`.'),
        };
        return { result: await listJobs(database, options) };
      },
      render: ({ jobs, next }, ink) =>
        jobs.length === 0
          ? 'There are no such jobs.'
          : [...jobs.map((job) => renderLine(job, ink)), ...(next === null ? [] : [ink.dim(`more with --cursor ${next}`)])].join(
              '\n',
            ),
    }),
    command({
      name: 'jobs show',
      summary: 'show one job, with its progress, its checkpoint and why it failed',
      positionals: [id],
      input: JobInput,
      output: JobView,
      example: 'safekeep jobs show 01994b0e-7c4a-7000-8000-5f2f6d8b9c10 --json',
      run: async (context, input) => ({ result: await showJob(await context.database(), context.tenant, idOf(input.id)) }),
      render: renderJob,
    }),
    command({
      name: 'jobs cancel',
      summary: 'cancel a job; one that runs stops within about a second',
      positionals: [id],
      input: JobInput,
      output: JobView,
      example: 'safekeep jobs cancel 01994b0e-7c4a-7000-8000-5f2f6d8b9c10',
      run: async (context, input) => ({ result: await cancelJob(await context.database(), context.tenant, idOf(input.id)) }),
      render: renderJob,
    }),
    command({
      name: 'jobs retry',
      summary: 'put a failed, dead or cancelled job back into the queue; it goes on from its checkpoint',
      positionals: [id],
      input: JobInput,
      output: JobView,
      example: 'safekeep jobs retry 01994b0e-7c4a-7000-8000-5f2f6d8b9c10',
      run: async (context, input) => ({ result: await retryJob(await context.database(), context.tenant, idOf(input.id)) }),
      render: renderJob,
    }),
  ];
}

function scheduleCommands(kinds: readonly JobKind[]): readonly Command[] {
  const kind = {
    key: 'kind',
    label: 'KIND',
    description: `one of ${kinds
      .map((each) => each.kind)
      .toSorted()
      .join(', ')}`,
  };
  return [
    command({
      name: 'jobs schedule',
      summary: 'list what is scheduled',
      input: Type.Object({}),
      output: Schedules,
      example: 'safekeep jobs schedule',
      run: async (context) => ({ result: { schedules: await listSchedules(await context.database(), context.tenant) } }),
      render: renderSchedules,
    }),
    command({
      name: 'jobs schedule set',
      summary: 'run a kind of job again and again',
      positionals: [kind, { key: 'cron', label: 'CRON', description: 'minute, hour, day of month, month, day of week' }],
      input: Type.Object({
        kind: Type.String(),
        cron: Type.String(),
        timeZone: Type.String({ default: 'UTC', description: 'IANA name of the zone whose hours these are' }),
        payload: Type.Optional(Type.String({ description: 'what the job is given, as a JSON object' })),
      }),
      output: Schedules,
      example: 'safekeep jobs schedule set canary "30 3 * * *" --time-zone Europe/Berlin',
      run: async (context, input) => {
        const found = kinds.find((each) => each.kind === input.kind);
        if (found === undefined)
          throw new SafekeepError('job-kind-unknown', { kind: input.kind, kinds: kinds.map((each) => each.kind).join(', ') });
        const { cron, timeZone } = input;
        const scheduled = await setSchedule(await context.database(), found, {
          tenant: context.tenant,
          cron,
          timeZone,
          payload: payloadOf(found, input.payload),
        });
        return { result: { schedules: [scheduled] } };
      },
      render: renderSchedules,
    }),
    command({
      name: 'jobs schedule remove',
      summary: 'run a kind of job no more by itself; jobs that are queued already stay',
      positionals: [kind],
      input: Type.Object({ kind: Type.String() }),
      output: Schedules,
      example: 'safekeep jobs schedule remove canary',
      run: async (context: CommandContext, input) => {
        const database = await context.database();
        await removeSchedule(database, context.tenant, input.kind);
        return { result: { schedules: await listSchedules(database, context.tenant) } };
      },
      render: renderSchedules,
    }),
  ];
}

function idOf(text: string, problem = 'The id of a job is a UUID, as `safekeep jobs list` shows it.'): JobId {
  const parsed = parseId<'job'>(text);
  if (parsed === undefined) throw new SafekeepError('usage', { problem });
  return parsed;
}

function renderSchedules({ schedules }: Frozen<{ schedules: ScheduleView[] }>, ink: Ink): string {
  if (schedules.length === 0) return 'Nothing is scheduled.';
  return schedules
    .map(
      ({ kind: name, cron, timeZone, nextRunAt }) => `${ink.strong(name)}  ${cron}  ${timeZone}  ${ink.dim(`next ${nextRunAt}`)}`,
    )
    .join('\n');
}

function renderLine(job: Frozen<JobView>, ink: Ink): string {
  return `${ink.dim(job.id)}  ${stateIn(job, ink)}  ${job.kind}  ${progressOf(job)}`.trimEnd();
}

function renderJob(job: Frozen<JobView>, ink: Ink): string {
  const lines = [
    `${ink.strong(job.kind)} ${ink.dim(job.id)} is ${stateIn(job, ink)} (attempt ${job.attempt}, tenant ${job.tenant}).`,
    progressOf(job),
    `created ${job.createdAt}${job.startedAt === null ? '' : `, started ${job.startedAt}`}${job.finishedAt === null ? '' : `, ended ${job.finishedAt}`}`,
    ...(job.error === undefined ? [] : [`${ink.bad(job.error.code)}: ${job.error.message}`]),
    ...(job.checkpoint === undefined ? [] : [`goes on from ${JSON.stringify(job.checkpoint)}`]),
    ...(job.result === undefined ? [] : [`result ${JSON.stringify(job.result)}`]),
  ];
  return lines.filter((line) => line !== '').join('\n');
}

function stateIn({ state }: Frozen<JobView>, ink: Ink): string {
  if (state === 'done') return ink.good(state);
  if (state === 'dead') return ink.bad(state);
  return state === 'failed' ? ink.warn(state) : state;
}

function progressOf({ progress: { done, total, rowsPerSecond, etaSeconds } }: Frozen<JobView>): string {
  if (done === 0 && total === null) return '';
  const parts = [`${done}${total === null ? '' : ` of ${total}`}`];
  if (rowsPerSecond !== undefined) parts.push(`${rowsPerSecond}/s`);
  if (etaSeconds !== undefined) parts.push(`${etaSeconds} s left`);
  return parts.join(', ');
}

/** What an object must hold is for the kind to say. */
function payloadOf({ kind, version }: JobKind, text = '{}'): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (isMapping(value)) return { ...value };
  } catch (cause) {
    throw new SafekeepError('job-payload-invalid', { kind, version, places: 'the whole: it is no JSON' }, { cause });
  }
  throw new SafekeepError('job-payload-invalid', { kind, version, places: 'the whole: it is no object' });
}
