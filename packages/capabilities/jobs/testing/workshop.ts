import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Secret, systemClock } from '@safekeep/core';
import { openLog, type OpenLog } from '@safekeep/log';
import { openDatabase, type Database } from '@safekeep/postgres';
import { testDatabase, type TestDatabase } from '@safekeep/postgres/testing';
import { showJob } from '../actions/list-jobs.ts';
import type { JobId, JobKind, JobState, JobView } from '../model.ts';
import { startWorker, type Worker, type WorkerOptions } from '../worker/worker.ts';
import type { Timing } from '../worker/timing.ts';

/** Ten times as fast as in production. */
export const fastTiming: Timing = { pollMs: 20, beatMs: 100, lostAfterLooks: 6, drainMs: 5_000, graceMs: 500, cronSeconds: 1 };

export const TENANT = 'default';

type Ending = { readonly after: (run: () => Promise<void>) => void };

export type Workshop = TestDatabase & {
  readonly log: OpenLog;
  /** A worker on this database; drained when the test ends. */
  readonly worker: (kinds: readonly JobKind[], options?: Partial<WorkerOptions>) => Promise<Worker>;
  /** Another pool on this database, with another login; closed when the test ends. */
  readonly openAs: (user: string, password: string) => Promise<Database>;
  readonly show: (id: JobId, tenant?: string) => Promise<JobView>;
  /** Waits until the job is in this state; fails when that takes too long, or once it is over in another one. */
  readonly becomes: (id: JobId, state: JobState, tenant?: string) => Promise<JobView>;
};

/** A database with the schema, and what it takes to run workers on it. */
export async function openWorkshop(test: Ending, options: Parameters<typeof testDatabase>[1] = {}): Promise<Workshop> {
  const made = await testDatabase(undefined, { migrated: true, ...options });
  const directory = await mkdtemp(join(tmpdir(), 'safekeep-jobs-'));
  const log = openLog({ directory, level: 'debug', clock: systemClock, component: 'worker' });
  const workers: Worker[] = [];
  const pools: Database[] = [];
  test.after(async () => {
    await Promise.all(workers.map((worker) => worker.drain()));
    await Promise.all(pools.map((pool) => pool.close()));
    log.close();
    await rm(directory, { recursive: true, force: true });
    await made[Symbol.asyncDispose]();
  });
  const show = (id: JobId, tenant = TENANT): Promise<JobView> => showJob(made.database, tenant, id);
  return {
    ...made,
    log,
    show,
    worker: async (kinds, workerOptions) => {
      const worker = await startWorker({
        database: made.database,
        kinds,
        clock: systemClock,
        log,
        timing: fastTiming,
        ...workerOptions,
      });
      workers.push(worker);
      return worker;
    },
    openAs: async (user, password) => {
      const url = new URL(made.url.reveal());
      [url.username, url.password] = [user, password];
      const pool = await openDatabase(new Secret(url.href));
      pools.push(pool);
      return pool;
    },
    becomes: async (id, state, tenant) =>
      await until(async () => {
        const view = await show(id, tenant);
        if (view.state === state) return view;
        const isOver = view.state === 'done' || view.state === 'dead' || view.state === 'cancelled';
        assert.ok(!isOver, `the job should become ${state} and is ${view.state}: ${JSON.stringify(view.error)}`);
        return undefined;
      }),
  };
}

const LOOK_MS = 15;
const PATIENCE_MS = 20_000;

/** Looks again and again until there is something. */
export async function until<Found>(look: () => Promise<Found | undefined | false>, patienceMs = PATIENCE_MS): Promise<Found> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    assert.ok(performance.now() < deadline, 'what was waited for did not come');
    await wait(LOOK_MS);
  }
}
