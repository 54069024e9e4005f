import { setTimeout as wait } from 'node:timers/promises';
import type { PgBoss } from 'pg-boss';
import type { Clock } from '@safekeep/core';
import type { Log } from '@safekeep/log';
import type { Database } from '@safekeep/postgres';
import type { CommandContext } from '../../capability.ts';
import type { JobKind, Json, ProgressReport, StartedJob } from '../model.ts';
import type { ProgressSample } from '../rules.ts';
import { PAUSE_AFTER_ERROR_MS, type Timing } from './timing.ts';

/** A job in the hands of this process. */
export type Desk = {
  readonly job: StartedJob;
  readonly abort: AbortController;
  checkpoint: Json | undefined;
  /** The handler has ended; how is being written down. */
  settling: boolean;
  /** The handler ended the job in a transaction of its own; whether that was committed is asked afterwards. */
  ended: boolean;
  progress: ProgressReport | undefined;
  /** Said since it was last written. */
  progressDirty: boolean;
  sample: ProgressSample | undefined;
  /** A checkpoint was written since the worker drains, in a transaction of the handler's that is about to be committed. */
  reachedCheckpoint: boolean;
};

/** What all parts of a worker share. */
export type Office = {
  /** For the worker's own questions. */
  readonly database: Database;
  readonly handlerDatabase: Database;
  readonly host: CommandContext | undefined;
  readonly queue: PgBoss;
  readonly kinds: ReadonlyMap<string, JobKind>;
  readonly clock: Clock;
  readonly log: Log;
  readonly timing: Timing;
  readonly desks: Set<Desk>;
  /** Those whose jobs came by here. */
  readonly tenants: Set<string>;
  /** Aborted when no more jobs are to be taken. */
  readonly closing: AbortSignal;
  /** Aborted when everything is over, settled and handed back. */
  readonly closed: AbortSignal;
};

/** Repeats `step` until the signal, `pauseMs` apart (at once while it returns true), and survives the database going away. */
export async function repeat(
  office: Office,
  signal: AbortSignal,
  pauseMs: number,
  step: () => Promise<boolean | void>,
): Promise<void> {
  while (!signal.aborted) {
    let again: boolean | void = false;
    let pause = pauseMs;
    try {
      again = await step();
    } catch (error) {
      office.log.warn('worker-step-failed', { error });
      pause = Math.max(pauseMs, PAUSE_AFTER_ERROR_MS);
    }
    if (again !== true) await rest(pause, signal);
  }
}

/** Waits; ends early, without complaint, with the signal. */
export async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => undefined);
}
