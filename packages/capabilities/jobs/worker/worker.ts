import type { PgBoss } from 'pg-boss';
import { catalogName, type Log } from '@safekeep/log';
import { SafekeepError, type Clock } from '@safekeep/core';
import type { Database } from '@safekeep/postgres';
import type { CommandContext } from '../../capability.ts';
import type { JobKind } from '../model.ts';
import { makeQueue } from '../store/queue.ts';
import { openSupervisor, prepareQueueSchema } from '../store/schema.ts';
import { TICKS } from '../store/schedules.ts';
import { abortForDrain } from './attempt.ts';
import { beat } from './beat.ts';
import { openFloor } from './floor.ts';
import { purge } from './purge.ts';
import { repeat, rest, type Office } from './office.ts';
import { runTicks } from './ticks.ts';
import { defaultTiming, type Timing } from './timing.ts';
import { watchClock, watchHeartbeats, type Watch } from './watch.ts';

export type WorkerOptions = {
  /** What handlers are given. */
  readonly database: Database;
  /**
   * A small pool (4) of the worker's own on the same database, for heartbeats and for writing down what became of jobs.
   * Without it they stand in line with the handlers, whose transactions may hold every connection until a living worker
   * is taken for lost.
   */
  readonly control?: Database;
  readonly kinds: readonly JobKind[];
  readonly clock: Clock;
  readonly log: Log;
  /** Jobs of all kinds together at a time in this process. */
  readonly concurrency?: number;
  /** Drains the worker when it is aborted. */
  readonly signal?: AbortSignal;
  readonly timing?: Partial<Timing>;
  /** What handlers are given that work on the home. */
  readonly host?: CommandContext;
};

export type Worker = {
  /** How many jobs run here at this moment. */
  readonly running: () => number;
  /**
   * Takes no more jobs, lets those that run reach their end or next checkpoint, then aborts them and hands them back.
   * Resolves when nothing runs here any more. May be called twice.
   */
  readonly drain: () => Promise<void>;
};

const CONCURRENCY = 10;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Starts a worker. Any number of them may run, in one process or on many machines. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { database, control = database, kinds, clock, log, signal, host } = options;
  const timing = { ...defaultTiming, ...options.timing };
  const queue = await openQueueOf(control, { kinds, clock, log, timing });
  const [closing, closed] = [new AbortController(), new AbortController()];
  const office: Office = {
    database: control,
    handlerDatabase: database,
    queue,
    clock,
    log,
    timing,
    kinds: new Map(kinds.map((kind) => [kind.kind, kind])),
    desks: new Set(),
    tenants: new Set(),
    closing: closing.signal,
    closed: closed.signal,
    host,
  };
  const loops = startLoops(office, options.concurrency ?? CONCURRENCY);
  let draining: Promise<void> | undefined;
  const drain = (): Promise<void> => (draining ??= closeOffice({ office, queue, closing, closed, loops }));
  signal?.addEventListener('abort', () => void drain(), { once: true });
  if (signal?.aborted === true) void drain();
  log.info('worker-started', { kinds: kinds.map(({ kind }) => catalogName(kind)) });
  return { running: () => office.desks.size, drain };
}

type Parts = Pick<WorkerOptions, 'kinds' | 'clock' | 'log'> & { readonly timing: Timing };

async function openQueueOf(database: Database, { kinds, clock, log, timing }: Parts): Promise<PgBoss> {
  await prepareQueueSchema(database);
  const onError = (error: unknown): void => log.warn('queue-upkeep-failed', { error });
  const queue = await openSupervisor(database, { clock, cronSeconds: timing.cronSeconds, onError });
  for (const name of [TICKS, ...kinds.map(({ kind }) => kind)]) await makeQueue(queue, name);
  try {
    await queue.start();
  } catch (error) {
    // Half started it would keep its timers.
    await stopQueue(queue);
    throw error;
  }
  return queue;
}

/** Stops pg-boss's timers; the pool is not its own. */
async function stopQueue(queue: PgBoss): Promise<void> {
  await queue.stop({ close: false, graceful: false });
}

type Loops = {
  /** Ends when the last question for jobs that was on its way has been answered. */
  readonly untilClosing: Promise<unknown>;
  readonly untilClosed: Promise<unknown>;
};

function startLoops(office: Office, concurrency: number): Loops {
  const { closing, closed, timing, kinds } = office;
  const watch: Watch = new Map();
  const floor = openFloor(office, concurrency);
  const untilClosing = Promise.all([
    ...[...kinds.values()].map((kind) => repeat(office, closing, timing.pollMs, () => floor.fill(kind))),
    repeat(office, closing, timing.pollMs, () => runTicks(office)),
    repeat(office, closing, timing.beatMs, () => watchHeartbeats(office, watch)),
    repeat(office, closing, MINUTE_MS, () => watchClock(office)),
    repeat(office, closing, HOUR_MS, () => purge(office)),
  ]);
  return { untilClosing, untilClosed: repeat(office, closed, timing.beatMs, () => beat(office)) };
}

type Closing = {
  readonly office: Office;
  readonly queue: PgBoss;
  readonly closing: AbortController;
  readonly closed: AbortController;
  readonly loops: Loops;
};

async function closeOffice({ office, queue, closing, closed, loops }: Closing): Promise<void> {
  const { desks, timing, log } = office;
  log.info('worker-draining', { running: desks.size });
  closing.abort(new SafekeepError('interrupted', { action: 'The worker', kept: 'Its jobs are handed back.' }));
  // Jobs that are being taken at this moment get a desk yet, and are drained like the others.
  await Promise.race([loops.untilClosing, rest(timing.drainMs, closed.signal)]);
  await emptied(office, timing.drainMs);
  for (const desk of desks) abortForDrain(desk);
  // A handler has `graceMs` to obey; the rest is for writing down how it ended.
  await emptied(office, timing.graceMs * 2);
  closed.abort();
  await Promise.all([loops.untilClosing, loops.untilClosed]);
  await stopQueue(queue);
  log.info('worker-stopped', { abandoned: desks.size });
}

// Between looks whether the last job has gone.
const EMPTY_LOOK_MS = 20;

async function emptied({ desks, clock, closed }: Office, limitMs: number): Promise<void> {
  const untilMs = clock.elapsedMs() + limitMs;
  while (desks.size > 0 && clock.elapsedMs() < untilMs) await rest(EMPTY_LOOK_MS, closed);
}
