import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { Type } from '@safekeep/core/schema';
import { isSafekeepError, newId, systemClock } from '@safekeep/core';
import { enqueue, enqueueBatch } from '../actions/enqueue.ts';
import { job, type JobContext, type JobKind, type Json } from '../model.ts';
import { insertJobs } from '../store/jobs.ts';
import { inTransaction, sessionOf } from '../store/transaction.ts';
import { fastTiming, openWorkshop, TENANT, until, type Workshop } from '../testing/workshop.ts';

const Empty = Type.Object({});

function effect(run: (context: JobContext) => Promise<Json | void>, changes: Omit<Partial<JobKind>, 'payload' | 'run'> = {}) {
  const retry = { limit: 3, backoff: { firstMs: 10, maxMs: 50 } };
  return job({
    kind: 'effect',
    payload: Empty,
    version: 1,
    retry,
    timeoutMs: 60_000,
    concurrency: { perWorker: 10 },
    ...changes,
    run,
  });
}

async function withEffects(shop: Workshop): Promise<{ add: string; count: () => Promise<number> }> {
  await shop.pool.query('create table public.effects (id uuid, attempt integer)');
  const count = async (): Promise<number> => (await shop.pool.query('select from public.effects')).rowCount ?? 0;
  return { add: 'insert into public.effects values ($1, $2)', count };
}

/** A worker that shows no sign of life while its handlers run on: cut off, as the others see it. */
const CUT_OFF = { timing: { ...fastTiming, beatMs: 3_600_000 }, concurrency: 1 };

test('a worker that lost its job to another can commit neither its checkpoint nor its end: the effect is there once', async (t) => {
  const shop = await openWorkshop(t);
  const { add, count } = await withEffects(shop);
  const [takenOver, refused] = [Promise.withResolvers<void>(), [] as unknown[]];
  const kind = effect(async ({ id, attempt, checkpoint, complete, database }) => {
    if (attempt === 1) await takenOver.promise;
    else takenOver.resolve();
    for (const end of [checkpoint.write, undefined]) {
      const work = inTransaction(database, async (transaction) => {
        await (end === undefined ? complete(transaction, 'at the end') : end('checkpoint', { transaction }));
        await shop.pool.query('select 1');
      });
      if (attempt === 1)
        refused.push(
          await work.then(
            () => undefined,
            (error: unknown) => error,
          ),
        );
      else await work;
    }
    const client = await shop.pool.connect();
    await client.query('begin');
    await client.query(add, [id, attempt]);
    await client.query(attempt === 1 ? 'rollback' : 'commit');
    client.release();
  });
  const { id } = await enqueue(shop.database, kind, {}, { tenant: TENANT });
  const zombie = await shop.worker([kind], CUT_OFF);
  await until(async () => zombie.running() === 1);
  await shop.worker([kind]);
  const done = await shop.becomes(id, 'done');
  assert.equal(done.attempt, 2);
  await until(async () => zombie.running() === 0);
  assert.equal(refused.length, 2);
  for (const error of refused) assert.ok(isSafekeepError(error, 'job-lost'), String(error));
  assert.equal(await count(), 1);
});

test('what a zombie returns or throws after it lost its job changes nothing', async (t) => {
  const shop = await openWorkshop(t);
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const kind = effect(async ({ attempt, progress }) => {
    if (attempt === 2) return await second.promise.then(() => 'of the second');
    progress(999);
    await first.promise;
    return 'of the zombie';
  });
  const { id } = await enqueue(shop.database, kind, {}, { tenant: TENANT });
  const zombie = await shop.worker([kind], CUT_OFF);
  await until(async () => zombie.running() === 1);
  await shop.worker([kind]);
  await until(async () => (await shop.show(id)).attempt === 2);
  first.resolve();
  await until(async () => zombie.running() === 0);
  assert.equal((await shop.show(id)).state, 'running');
  second.resolve();
  const done = await shop.becomes(id, 'done');
  assert.equal(done.result, 'of the second');
  assert.equal(done.progress.done, 0);
});

test('work and the end of its job are one transaction: rolled back, neither is there, and the job is tried again', async (t) => {
  const shop = await openWorkshop(t);
  const { add, count } = await withEffects(shop);
  const kind = effect(async ({ id, attempt, complete, database }) => {
    await database.withClient(async (client) => {
      await client.query('begin');
      await client.query(add, [id, attempt]);
      await complete(client, { attempt });
      await client.query(attempt === 1 ? 'rollback' : 'commit');
    });
  });
  const { id } = await enqueue(shop.database, kind, {}, { tenant: TENANT });
  const errors: unknown[] = [];
  await shop.worker([kind]);
  await until(async () => {
    const { state, error } = await shop.show(id);
    errors.push(error?.code);
    return state === 'done';
  });
  assert.deepEqual((await shop.show(id)).result, { attempt: 2 });
  assert.equal(await count(), 1);
});

test('a job whose handler ends it in a transaction that it never commits says so, and nothing of it is there', async (t) => {
  const shop = await openWorkshop(t);
  const { add, count } = await withEffects(shop);
  const kind = effect(
    async ({ id, attempt, complete, database }) => {
      await database.withClient(async (client) => {
        await client.query('begin');
        await client.query(add, [id, attempt]);
        await complete(client, { attempt });
        await client.query('rollback');
      });
    },
    { retry: { limit: 1, backoff: { firstMs: 10, maxMs: 10 } } },
  );
  const { id } = await enqueue(shop.database, kind, {}, { tenant: TENANT });
  await shop.worker([kind]);
  const { error, result, attempt } = await shop.becomes(id, 'dead');
  assert.deepEqual([error?.code, result ?? null, attempt], ['job-not-committed', null, 2]);
  assert.equal(await count(), 0);
});

test('a job whose worker never comes back ends dead when its tries are used up, and says that its worker was lost', async (t) => {
  const shop = await openWorkshop(t);
  const never = Promise.withResolvers<void>();
  const kind = effect(() => never.promise, { retry: { limit: 0, backoff: { firstMs: 0, maxMs: 0 } } });
  const { id } = await enqueue(shop.database, kind, {}, { tenant: TENANT });
  const zombie = await shop.worker([kind], CUT_OFF);
  await until(async () => zombie.running() === 1);
  await shop.worker([kind]);
  assert.equal((await shop.becomes(id, 'dead')).error?.code, 'job-worker-lost');
  never.resolve();
});

test('jobs that went down with their worker are tried one at a time in a process, so that the guilty one stands alone', async (t) => {
  const shop = await openWorkshop(t);
  let most = 0;
  let now = 0;
  const kind = effect(async () => {
    most = Math.max(most, (now += 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
    now -= 1;
  });
  const jobs = await enqueueBatch(
    shop.database,
    kind,
    Array.from({ length: 3 }, () => ({ payload: {} })),
    { tenant: TENANT },
  );
  await shop.pool.query("update safekeep.jobs set state = 'failed', attempt = 1, tries = 1, error_code = 'job-worker-lost'");
  await shop.worker([kind]);
  for (const { id } of jobs) await shop.becomes(id, 'done');
  assert.equal(most, 1);
});

test('with the clock of the server set back, queued jobs run at once, waiting ones are brought forward, lost ones are found', async (t) => {
  const shop = await openWorkshop(t);
  const kind = effect(async ({ attempt }) => attempt);
  const [queued, waiting, held] = await enqueueBatch(shop.database, kind, [{ payload: {} }, { payload: {} }, { payload: {} }], {
    tenant: TENANT,
  });
  assert.ok(queued && waiting && held);
  // As after a step back by a day: what was written before lies a day in the future.
  await shop.pool.query(
    "update safekeep_jobs.job set created_on = created_on + interval '1 day', keep_until = keep_until + interval '1 day'",
  );
  await shop.pool.query("update safekeep_jobs.job set start_after = now() + interval '1 day' where id = $1", [waiting.id]);
  await shop.pool.query("update safekeep.jobs set state = 'running', attempt = 1, tries = 1 where job_id = $1", [held.id]);
  await shop.pool.query(
    "update safekeep_jobs.job set state = 'active', started_on = now() + interval '1 day', heartbeat_on = now() + interval '1 day' where id = $1",
    [held.id],
  );
  await shop.worker([kind]);
  for (const { id } of [queued, waiting, held]) await shop.becomes(id, 'done');
  assert.equal((await shop.show(held.id)).result, 2);
});

test('with the clock of the worker set back, it goes on at its pace', async (t) => {
  const shop = await openWorkshop(t);
  let wallMs = Date.now();
  const clock = { now: () => new Date(wallMs), elapsedMs: systemClock.elapsedMs };
  const kind = effect(async () => undefined);
  await shop.worker([kind], { clock });
  const before = await enqueue(shop.database, kind, {}, { tenant: TENANT });
  await shop.becomes(before.id, 'done');
  wallMs -= 86_400_000;
  const after = await enqueue(shop.database, kind, {}, { tenant: TENANT });
  await shop.becomes(after.id, 'done');
});

test('a handler that holds its row in a long transaction blocks neither heartbeats nor progress of the others', async (t) => {
  const shop = await openWorkshop(t);
  const [held, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const kind = effect(async ({ database, checkpoint, progress, attempt }) => {
    assert.equal(attempt, 1);
    progress(1, 2);
    await inTransaction(database, async (transaction) => {
      await checkpoint.write('held', { transaction });
      held.resolve();
      await end.promise;
    });
  });
  const other = effect(
    async ({ progress }) => {
      progress(5, 10);
      await end.promise;
    },
    { kind: 'other' },
  );
  const holding = await enqueue(shop.database, kind, {}, { tenant: TENANT });
  await shop.worker([kind, other]);
  await held.promise;
  const reporting = await enqueue(shop.database, other, {}, { tenant: TENANT });
  await until(async () => (await shop.show(reporting.id)).progress.done === 5);
  // Long enough to be taken for lost, were its heartbeat not going on.
  const beats = new Set<string>();
  await until(async () => {
    const { rows } = await shop.pool.query('select heartbeat_on::text as beat from safekeep_jobs.job where id = $1', [holding.id]);
    return beats.add(rows[0].beat).size > fastTiming.lostAfterLooks + 2;
  });
  end.resolve();
  assert.equal((await shop.becomes(holding.id, 'done')).attempt, 1);
});

test('PostgreSQL itself keeps one tenant from the jobs of another', async (t) => {
  const shop = await openWorkshop(t);
  await shop.pool.query("insert into safekeep.tenants (tenant_id, name) values ('other', 'Other')");
  const kind = effect(async () => undefined);
  await enqueue(shop.database, kind, {}, { tenant: 'other' });
  const client = await shop.pool.connect();
  try {
    await client.query('begin');
    await client.query('set local role safekeep_app');
    assert.equal((await client.query('select from safekeep.jobs')).rowCount, 0);
    await client.query("select set_config('safekeep.tenant', $1, true)", [TENANT]);
    assert.equal((await client.query('select from safekeep.jobs')).rowCount, 0);
    assert.equal((await client.query("update safekeep.jobs set state = 'cancelled'")).rowCount, 0);
    await assert.rejects(
      insertJobs(sessionOf(client), 'other', kind, [{ id: newId<'job'>(), payload: {}, key: undefined }]),
      /row-level security/,
    );
    await client.query('rollback');
  } finally {
    client.release();
  }
});

test('a worker with a login that row security binds does all its work, for every tenant', async (t) => {
  const shop = await openWorkshop(t);
  await shop.pool.query("insert into safekeep.tenants (tenant_id, name) values ('other', 'Other')");
  const login = `test_login_${randomUUID().slice(0, 8)}`;
  await shop.pool.query(`create role ${login} login password 'x' in role safekeep_app`);
  const kind = effect(
    async ({ checkpoint, progress, tenant, attempt }) => {
      progress(1, 1);
      await checkpoint.write('half');
      if (attempt === 1) throw new Error('once');
      return tenant;
    },
    { concurrency: { perWorker: 5, perTenant: 2 } },
  );
  const mine = await enqueue(shop.database, kind, {}, { tenant: TENANT });
  const theirs = await enqueue(shop.database, kind, {}, { tenant: 'other' });
  const bound = await shop.openAs(login, 'x');
  const worker = await shop.worker([kind], { database: bound });
  try {
    assert.equal((await shop.becomes(mine.id, 'done')).result, TENANT);
    assert.equal((await shop.becomes(theirs.id, 'done', 'other')).result, 'other');
    const third = await enqueue(bound, kind, {}, { tenant: TENANT });
    await shop.becomes(third.id, 'done');
  } finally {
    // A role belongs to the whole server and would stay.
    await worker.drain();
    await shop.pool.query(`drop role ${login}`);
  }
});

test('handlers that hold every connection of their pool are not taken for lost when the worker has a small pool of its own', async (t) => {
  const shop = await openWorkshop(t);
  const [database, control] = [await shop.open({ poolMax: 2 }), await shop.open({ poolMax: 2 })];
  const end = Promise.withResolvers<void>();
  const kind = effect(({ database: pool }) => pool.withClient(() => end.promise));
  const jobs = await enqueueBatch(shop.database, kind, [{ payload: {} }, { payload: {} }], { tenant: TENANT });
  await shop.worker([kind], { database, control });
  const beats = new Set<string>();
  await until(async () => {
    const { rows } = await shop.pool.query(
      "select heartbeat_on::text as beat from safekeep_jobs.job where state = 'active' limit 1",
    );
    return beats.add(rows[0]?.beat).size > fastTiming.lostAfterLooks + 2;
  });
  end.resolve();
  for (const { id } of jobs) assert.equal((await shop.becomes(id, 'done')).attempt, 1);
});
