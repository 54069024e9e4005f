import { setTimeout as wait } from 'node:timers/promises';
import { Type } from '@safekeep/core/schema';
import { job } from '../model.ts';

// The kinds that the worker processes of the kill tests run. Their effects stand in a table without any constraint, so that
// doing something twice is seen.

export const EFFECTS = 'create table public.effects (job_id uuid not null, step integer not null, pid integer not null)';
export const STEPS = 3;

const patient = { retry: { limit: 1_000, backoff: { firstMs: 5, maxMs: 50 } }, timeoutMs: 60_000 };

/** Works in steps, each committed with its checkpoint, the last one with the end of the job. */
export const stepped = job({
  kind: 'stepped',
  payload: Type.Object({}),
  version: 1,
  ...patient,
  concurrency: { perWorker: 5 },
  run: async ({ id, checkpoint, complete, database, progress, signal }) => {
    const reached = Number(checkpoint.read() ?? 0);
    for (let step = reached + 1; step <= STEPS; step += 1) {
      signal.throwIfAborted();
      progress(step, STEPS);
      await database.withClient(async (client) => {
        await client.query('begin');
        await client.query('insert into public.effects values ($1, $2, $3)', [id, step, process.pid]);
        await wait(2);
        await (step === STEPS ? complete(client) : checkpoint.write(step, { transaction: client }));
        await client.query('commit');
      });
    }
  },
});

/** Kills its process. */
export const poison = job({
  kind: 'poison',
  payload: Type.Object({}),
  version: 1,
  retry: { limit: 2, backoff: { firstMs: 0, maxMs: 0 } },
  timeoutMs: 60_000,
  concurrency: { perWorker: 1 },
  run: async () => {
    process.kill(process.pid, 'SIGKILL');
    await new Promise(() => undefined);
  },
});
