import pg from 'pg';
import { PgBoss } from 'pg-boss';
import { Type } from '@safekeep/core/schema';
import { enqueueBatch, job, listJobs, prepareJobs, startWorker } from '@safekeep/capabilities/jobs';
import { Secret, systemClock } from '@safekeep/core';
import { openLog } from '@safekeep/log';
import { migrateUp, openDatabase } from '@safekeep/postgres';
import { defineBench, type ContenderContext, type Prepared } from './measure/bench.ts';
import { stageDatabase, type DatabaseFixture } from './postgres/database-stage.ts';
import { makeFolder, removeFolder } from './postgres/folder.ts';

// Jobs that do nothing: what is left is the queue. Both sides have the same number in flight and the same polling interval.
const IN_FLIGHT = 100;
const POLL_MS = 500;
const TENANT = 'default';

/** Counts jobs down to the last. */
function countdown(size: number): { readonly tick: (jobs: number) => void; readonly over: Promise<void> } {
  const over = Promise.withResolvers<void>();
  let left = size;
  return {
    over: over.promise,
    tick: (jobs) => {
      left -= jobs;
      if (left === 0) over.resolve();
    },
  };
}

/** Each job by itself: its own validation, attempt, signal, heartbeat and end, a row for people to see, one tenant's rows closed to others. */
async function prepareOurs({ fixture, size }: ContenderContext<DatabaseFixture>): Promise<Prepared> {
  const folder = await makeFolder();
  const log = openLog({ directory: folder, level: 'warn', clock: systemClock, component: 'bench' });
  const database = await openDatabase(new Secret(fixture.url));
  await migrateUp(database);
  await prepareJobs(database);
  let tick: (jobs: number) => void = () => undefined;
  const nothing = job({
    kind: 'nothing',
    payload: Type.Object({ number: Type.Integer() }),
    version: 1,
    retry: { limit: 3, backoff: { firstMs: 100, maxMs: 1_000 } },
    timeoutMs: 60_000,
    concurrency: { perWorker: IN_FLIGHT },
    run: async () => tick(1),
  });
  let listMs = 0;
  let enqueuedPerSecond = 0;
  return {
    beforeRun: async () => {
      await database.withClient((client) => client.query('truncate safekeep.jobs, safekeep_jobs.job'));
      const items = Array.from({ length: size }, (_, number) => ({ payload: { number } }));
      const startedMs = performance.now();
      await enqueueBatch(database, nothing, items, { tenant: TENANT });
      enqueuedPerSecond = size / ((performance.now() - startedMs) / 1_000);
      await database.withClient((client) => client.query('vacuum analyze safekeep.jobs, safekeep_jobs.job'));
      const listingMs = performance.now();
      await listJobs(database, { tenant: TENANT, state: 'queued', limit: 50 });
      listMs = performance.now() - listingMs;
    },
    run: async () => {
      const { tick: counted, over } = countdown(size);
      tick = counted;
      const timing = { pollMs: POLL_MS };
      const worker = await startWorker({ database, kinds: [nothing], clock: systemClock, log, concurrency: IN_FLIGHT, timing });
      await over;
      await worker.drain();
      return { units: size, extra: { listMs, enqueuedPerSecond } };
    },
    afterRun: async () => {
      const { rowCount } = await database.withClient((client) => client.query("select from safekeep.jobs where state = 'done'"));
      if (rowCount !== size) throw new Error(`${rowCount} of ${size} jobs are done`);
    },
    close: async () => {
      await database.close();
      log.close();
      await removeFolder(folder);
    },
  };
}

/** As its manual recommends for many small jobs: batches, fetched again at once while they come full, settled as a whole. */
async function preparePgBoss({ fixture, size }: ContenderContext<DatabaseFixture>): Promise<Prepared> {
  const boss = new PgBoss({ connectionString: fixture.url, schema: 'bare' });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  await boss.createQueue('nothing');
  const pool = new pg.Pool({ connectionString: fixture.url, max: 1 });
  return {
    beforeRun: async () => {
      await boss.deleteAllJobs();
      for (let from = 0; from < size; from += 1_000) {
        await boss.insert(
          'nothing',
          Array.from({ length: Math.min(1_000, size - from) }, (_, number) => ({ data: { number: from + number } })),
        );
      }
      await pool.query('vacuum analyze bare.job');
    },
    run: async () => {
      const { tick, over } = countdown(size);
      const options = { batchSize: IN_FLIGHT, burstWhenBatchFull: true, pollingIntervalSeconds: POLL_MS / 1_000 };
      await boss.work('nothing', options, async (jobs) => tick(jobs.length));
      await over;
      await boss.offWork('nothing');
      return { units: size };
    },
    afterRun: async () => {
      const { rowCount } = await pool.query("select from bare.job where name = 'nothing' and state = 'completed'");
      if (rowCount !== size) throw new Error(`${rowCount} of ${size} jobs are completed`);
    },
    close: async () => {
      await pool.end();
      await boss.stop();
    },
  };
}

export const bench = defineBench<DatabaseFixture>({
  question: 'How many jobs a second, beside pg-boss by itself?',
  unit: 'jobs',
  sizes: { small: 1_000, medium: 10_000, large: 100_000 },
  stage: () => stageDatabase(async () => {}),
  contenders: [
    { name: 'jobs', kind: 'ours', isolate: true, prepare: prepareOurs },
    { name: 'pg-boss', kind: 'limit', isolate: true, prepare: preparePgBoss },
  ],
  limits: [
    {
      contender: 'jobs',
      measure: 'unitsPerSecond',
      relation: 'at-least',
      bound: 0.25,
      against: 'pg-boss',
      source: 'our own aim: what a job is more than a queued row costs no more than three times the row',
    },
    { contender: 'jobs', measure: 'extra.listMs', relation: 'at-most', bound: 50, source: 'our own aim: a list is there at once' },
  ],
});
