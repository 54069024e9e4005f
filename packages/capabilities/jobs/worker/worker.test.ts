import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { test } from 'node:test';
import { Type } from '@safekeep/core/schema';
import Value from 'typebox/value';
import { isSafekeepError, SafekeepError } from '@safekeep/core';
import { testServers } from '@safekeep/postgres/testing';
import { cancelJob, retryJob } from '../actions/cancel-job.ts';
import { enqueue, enqueueBatch } from '../actions/enqueue.ts';
import { job, type JobContext, type JobKind, type Json } from '../model.ts';
import { fastTiming, openWorkshop, TENANT, until } from '../testing/workshop.ts';

const Numbered = Type.Object({ number: Type.Integer() });
const quick = {
  retry: { limit: 2, backoff: { firstMs: 10, maxMs: 40 } },
  timeoutMs: 60_000,
  concurrency: { perWorker: 10 },
} as const;
type Run = (context: JobContext, payload: { number: number }) => Promise<Json | void>;

function numbered(run: Run, changes: Omit<Partial<JobKind>, 'payload' | 'run'> = {}) {
  return job({ kind: 'numbered', payload: Numbered, version: 1, ...quick, ...changes, run });
}

/** Resolves when the signal is aborted, with its reason. */
function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason), { once: true }));
}

for (const server of testServers()) {
  test(`a job is run once with its payload and keeps its result (PostgreSQL ${server.name})`, async (t) => {
    const shop = await openWorkshop(t, { server });
    const ran: number[] = [];
    const kind = numbered(async (_context, { number }) => {
      ran.push(number);
      return { doubled: number * 2 };
    });
    const { id, isNew } = await enqueue(shop.database, kind, { number: 21 }, { tenant: TENANT });
    assert.equal(isNew, true);
    assert.equal((await shop.show(id)).state, 'queued');
    await shop.worker([kind]);
    const done = await shop.becomes(id, 'done');
    assert.deepEqual(done.result, { doubled: 42 });
    assert.equal(done.attempt, 1);
    assert.deepEqual(ran, [21]);
  });
}

test('a job that fails is tried again, goes on from its checkpoint, and says why it failed before', async (t) => {
  const shop = await openWorkshop(t);
  const from: (Json | undefined)[] = [];
  const kind = numbered(async ({ attempt, checkpoint }) => {
    from.push(checkpoint.read());
    await checkpoint.write({ reached: attempt });
    if (attempt < 3) throw new SafekeepError('disk-full', { path: 'the backup target' });
  });
  const { id } = await enqueue(shop.database, kind, { number: 1 }, { tenant: TENANT });
  await shop.worker([kind]);
  const done = await shop.becomes(id, 'done');
  assert.equal(done.attempt, 3);
  assert.equal(done.error, undefined);
  assert.deepEqual(from, [undefined, { reached: 1 }, { reached: 2 }]);
});

test('a job that fails always ends with the dead letters, its message withheld, while others go on; retried, it starts anew', async (t) => {
  const shop = await openWorkshop(t);
  let mended = false;
  const kind = numbered(async (_context, { number }) => {
    if (number === 13 && !mended) throw new TypeError('Jane Doe, 12 Elm Street');
  });
  const { id } = await enqueue(shop.database, kind, { number: 13 }, { tenant: TENANT });
  await shop.worker([kind]);
  const dead = await shop.becomes(id, 'dead');
  assert.equal(dead.attempt, 3);
  assert.equal(dead.error?.code, 'internal');
  assert.match(dead.error?.message ?? '', /TypeError/);
  assert.doesNotMatch(dead.error?.message ?? '', /Jane/);
  const other = await enqueue(shop.database, kind, { number: 1 }, { tenant: TENANT });
  await shop.becomes(other.id, 'done');
  mended = true;
  assert.equal((await retryJob(shop.database, TENANT, id)).state, 'queued');
  assert.equal((await shop.becomes(id, 'done')).attempt, 4);
});

test('a dead job can be retried even after the queue has forgotten it', async (t) => {
  const shop = await openWorkshop(t);
  let mended = false;
  const kind = numbered(
    async () => {
      if (!mended) throw new Error('no');
    },
    { retry: { limit: 0, backoff: { firstMs: 0, maxMs: 0 } } },
  );
  const { id } = await enqueue(shop.database, kind, { number: 1 }, { tenant: TENANT });
  await shop.worker([kind]);
  await shop.becomes(id, 'dead');
  await shop.pool.query('delete from safekeep_jobs.job where id = $1', [id]);
  mended = true;
  await retryJob(shop.database, TENANT, id);
  await shop.becomes(id, 'done');
});

test('a payload of an older version is upgraded; one without a way up, and one whose upgrade fails, end with a clear reason', async (t) => {
  const shop = await openWorkshop(t);
  const Old = Type.Object({ n: Type.Integer() });
  const old = job({ kind: 'aged', payload: Old, version: 1, ...quick, run: async () => undefined });
  const seen: number[] = [];
  const aged = job({
    kind: 'aged',
    payload: Numbered,
    version: 2,
    ...quick,
    upgrade: (payload) => {
      assert.ok(Value.Check(Old, payload));
      if (payload.n === 13) throw new Error('unlucky');
      return { number: payload.n === 14 ? 'fourteen' : payload.n };
    },
    run: async (_context, { number }) => void seen.push(number),
  });
  const jobs = await enqueueBatch(shop.database, old, [{ payload: { n: 7 } }, { payload: { n: 13 } }, { payload: { n: 14 } }], {
    tenant: TENANT,
  });
  const [good, failing, unfit] = jobs.map(({ id }) => id);
  assert.ok(good && failing && unfit);
  await shop.worker([aged]);
  await shop.becomes(good, 'done');
  assert.deepEqual(seen, [7]);
  assert.equal((await shop.becomes(failing, 'dead')).error?.code, 'job-upgrade-failed');
  assert.equal((await shop.becomes(unfit, 'dead')).error?.code, 'job-payload-invalid');
  const rigid = job({ kind: 'rigid', payload: Numbered, version: 3, ...quick, run: async () => undefined });
  const stale = await enqueue(shop.database, { ...rigid, version: 1 }, { number: 1 }, { tenant: TENANT });
  const fresh = await enqueue(shop.database, rigid, { number: 1 }, { tenant: TENANT });
  await shop.worker([rigid]);
  const dead = await shop.becomes(stale.id, 'dead');
  assert.equal(dead.error?.code, 'job-payload-old');
  assert.equal(dead.attempt, 1);
  await shop.becomes(fresh.id, 'done');
});

test('a payload newer than the worker waits for a newer worker and costs no try', async (t) => {
  const shop = await openWorkshop(t);
  const kind = numbered(async () => undefined);
  const { id } = await enqueue(shop.database, { ...kind, version: 2 }, { number: 1 }, { tenant: TENANT });
  await shop.worker([kind]);
  await until(async () => (await shop.show(id)).attempt === 1 && (await shop.show(id)).state === 'queued');
  const { rows } = await shop.pool.query('select tries from safekeep.jobs');
  assert.deepEqual(rows, [{ tries: 0 }]);
});

test('a cancelled job hears of it on its worker, can commit nothing more, and goes on from its checkpoint when retried', async (t) => {
  const shop = await openWorkshop(t);
  const [running, refused] = [Promise.withResolvers<void>(), Promise.withResolvers<unknown>()];
  const kind = numbered(async ({ attempt, signal, checkpoint }) => {
    if (attempt === 2) return checkpoint.read() ?? null;
    await checkpoint.write('half');
    running.resolve();
    const reason = await aborted(signal);
    await checkpoint.write('more').catch((error: unknown) => refused.resolve(error));
    throw reason;
  });
  const { id } = await enqueue(shop.database, kind, { number: 1 }, { tenant: TENANT });
  await shop.worker([kind]);
  await running.promise;
  const cancelled = await cancelJob(shop.database, TENANT, id);
  assert.equal(cancelled.state, 'cancelled');
  assert.ok(cancelled.finishedAt !== null);
  assert.ok(isSafekeepError(await refused.promise, 'job-lost'));
  const shown = await shop.show(id);
  assert.equal(shown.state, 'cancelled');
  assert.equal(shown.checkpoint, 'half');
  await retryJob(shop.database, TENANT, id);
  assert.equal((await shop.becomes(id, 'done')).result, 'half');
});

test('a queued job that is cancelled never runs; a job that is over can neither be cancelled nor, done, be retried', async (t) => {
  const shop = await openWorkshop(t);
  const ran: number[] = [];
  const kind = numbered(async (_context, { number }) => void ran.push(number));
  const first = await enqueue(shop.database, kind, { number: 1 }, { tenant: TENANT });
  const second = await enqueue(shop.database, kind, { number: 2 }, { tenant: TENANT });
  await cancelJob(shop.database, TENANT, first.id);
  await shop.worker([kind]);
  await shop.becomes(second.id, 'done');
  assert.deepEqual(ran, [2]);
  await assert.rejects(cancelJob(shop.database, TENANT, first.id), (error) => isSafekeepError(error, 'job-state'));
  await assert.rejects(retryJob(shop.database, TENANT, second.id), (error) => isSafekeepError(error, 'job-state'));
});

test('a job whose row a handler holds for long is not cancelled behind its back: the command says so and changes nothing', async (t) => {
  const shop = await openWorkshop(t);
  const kind = numbered(async () => undefined);
  const { id } = await enqueue(shop.database, kind, { number: 1 }, { tenant: TENANT });
  const holder = await shop.pool.connect();
  await holder.query('begin');
  await holder.query('select from safekeep.jobs for update');
  await assert.rejects(cancelJob(shop.database, TENANT, id), (error) => isSafekeepError(error, 'job-busy'));
  await holder.query('rollback');
  holder.release();
  assert.equal((await shop.show(id)).state, 'queued');
});

test('over all workers together, no more jobs of a tenant and of a kind run at a time than their limits say', async (t) => {
  const shop = await openWorkshop(t);
  await shop.pool.query("insert into safekeep.tenants (tenant_id, name) values ('a', 'A'), ('b', 'B'), ('c', 'C')");
  const now = new Map<string, number>();
  const most = new Map<string, number>();
  const count = (name: string, change: 1 | -1): void => {
    const value = (now.get(name) ?? 0) + change;
    now.set(name, value);
    most.set(name, Math.max(most.get(name) ?? 0, value));
  };
  const kind = numbered(
    async ({ tenant }) => {
      for (const name of [tenant, 'all']) count(name, 1);
      // Nobody leaves before the limit was reached once.
      await until(async () => (most.get('all') ?? 0) >= 5);
      await wait(2);
      for (const name of [tenant, 'all']) count(name, -1);
    },
    { concurrency: { perWorker: 10, perTenant: 2, overall: 5 } },
  );
  for (const tenant of ['a', 'b', 'c']) {
    await enqueueBatch(
      shop.database,
      kind,
      Array.from({ length: 40 }, (_, number) => ({ payload: { number } })),
      { tenant },
    );
  }
  await Promise.all([shop.worker([kind]), shop.worker([kind]), shop.worker([kind])]);
  await until(async () => (await shop.pool.query("select from safekeep.jobs where state <> 'done'")).rowCount === 0);
  assert.deepEqual(Object.fromEntries(most), { a: 2, b: 2, c: 2, all: 5 });
});

test('a worker runs as many jobs at a time as it may, and as its kinds may, and no more', async (t) => {
  const shop = await openWorkshop(t);
  const most = { numbered: 0, other: 0, all: 0 };
  const now = { numbered: 0, other: 0, all: 0 };
  const counted =
    (name: 'numbered' | 'other'): Run =>
    async () => {
      for (const each of [name, 'all'] as const) most[each] = Math.max(most[each], (now[each] += 1));
      await until(async () => most.all >= 5);
      await wait(2);
      for (const each of [name, 'all'] as const) now[each] -= 1;
    };
  const few = numbered(counted('numbered'), { concurrency: { perWorker: 2 } });
  const many = numbered(counted('other'), { kind: 'other', concurrency: { perWorker: 50 } });
  const items = Array.from({ length: 30 }, (_, number) => ({ payload: { number } }));
  await enqueueBatch(shop.database, few, items, { tenant: TENANT });
  await enqueueBatch(shop.database, many, items, { tenant: TENANT });
  await shop.worker([few, many], { concurrency: 5 });
  await until(async () => (await shop.pool.query("select from safekeep.jobs where state <> 'done'")).rowCount === 0);
  assert.equal(most.numbered, 2);
  assert.equal(most.all, 5);
});

test('a draining worker lets jobs end or reach a checkpoint, hands the rest back uncounted, and another goes on from there', async (t) => {
  const shop = await openWorkshop(t);
  const started = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  let begun = 0;
  let reason: unknown;
  const kind = numbered(async ({ signal, checkpoint, attempt }, { number }) => {
    signal.addEventListener('abort', () => (reason = signal.reason));
    if (attempt > 1) return checkpoint.read() ?? null;
    if ((begun += 1) === 2) started.resolve();
    if (number === 1) return await finish.promise.then(() => 'to the end');
    for (let step = 1; ; step += 1) {
      signal.throwIfAborted();
      await checkpoint.write(step);
      await wait(1);
    }
  });
  const [ending, endless] = await enqueueBatch(shop.database, kind, [{ payload: { number: 1 } }, { payload: { number: 2 } }], {
    tenant: TENANT,
  });
  assert.ok(ending && endless);
  const first = await shop.worker([kind]);
  await started.promise;
  const drained = first.drain();
  const handedBack = await shop.becomes(endless.id, 'queued');
  assert.equal(handedBack.error, undefined);
  finish.resolve();
  await drained;
  assert.ok(isSafekeepError(reason, 'job-drained'), String(reason));
  assert.equal(first.running(), 0);
  assert.equal((await shop.becomes(ending.id, 'done')).result, 'to the end');
  const { rows } = await shop.pool.query('select tries, checkpoint from safekeep.jobs where job_id = $1', [endless.id]);
  assert.equal(rows[0].tries, 0);
  await shop.worker([kind]);
  assert.equal((await shop.becomes(endless.id, 'done')).result, rows[0].checkpoint);
});

test('a job that is being taken while the draining begins is drained like the others, not left behind as running', async (t) => {
  const shop = await openWorkshop(t);
  const kind = numbered(async () => 'to the end');
  const { id } = await enqueue(shop.database, kind, { number: 1 }, { tenant: TENANT });
  const holder = await shop.pool.connect();
  let drained: Promise<void>;
  try {
    await holder.query('begin');
    // Keeps the worker between its question for a job and the answer.
    await holder.query('lock table safekeep.jobs in exclusive mode');
    const worker = await shop.worker([kind]);
    const taking = `select from pg_locks join pg_stat_activity using (pid)
      where not granted and datname = current_database() and query like '%chosen%'`;
    // Not asked by the holder: a transaction sees the activity of its first question.
    await until(async () => (await shop.pool.query(taking)).rowCount === 1);
    assert.equal(worker.running(), 0);
    drained = worker.drain();
  } finally {
    await holder.query('rollback');
    holder.release();
  }
  await drained;
  const { state, attempt, result } = await shop.show(id);
  assert.deepEqual({ state, attempt, result }, { state: 'done', attempt: 1, result: 'to the end' });
});

test('a job without checkpoints is aborted when the draining takes too long; one that ignores that is handed back all the same', async (t) => {
  const shop = await openWorkshop(t);
  const hang = Promise.withResolvers<void>();
  const kind = numbered(async ({ signal, attempt }, { number }) => {
    if (attempt > 1) return;
    if (number === 1) throw await aborted(signal);
    await hang.promise;
  });
  const jobs = await enqueueBatch(shop.database, kind, [{ payload: { number: 1 } }, { payload: { number: 2 } }], {
    tenant: TENANT,
  });
  const ending = new AbortController();
  const worker = await shop.worker([kind], {
    signal: ending.signal,
    timing: { pollMs: 20, beatMs: 50, drainMs: 50, graceMs: 100 },
  });
  await until(async () => worker.running() === 2);
  ending.abort();
  await worker.drain();
  for (const { id } of jobs) assert.equal((await shop.show(id)).state, 'queued');
  await shop.worker([kind]);
  for (const { id } of jobs) await shop.becomes(id, 'done');
  hang.resolve();
});

test('a job that takes longer than its kind may is stopped; one that ignores the signal loses its place to the next', async (t) => {
  const shop = await openWorkshop(t);
  const hang = Promise.withResolvers<void>();
  const kind = numbered(
    async ({ signal }, { number }) => {
      if (number === 3) return;
      await (number === 1 ? aborted(signal) : hang.promise);
      signal.throwIfAborted();
    },
    { timeoutMs: 40, retry: { limit: 0, backoff: { firstMs: 0, maxMs: 0 } }, concurrency: { perWorker: 2 } },
  );
  const items = [1, 2, 3].map((number) => ({ payload: { number } }));
  const [obeying, ignoring, next] = await enqueueBatch(shop.database, kind, items, { tenant: TENANT });
  assert.ok(obeying && ignoring && next);
  await shop.worker([kind], { timing: { ...fastTiming, graceMs: 60 } });
  for (const { id } of [obeying, ignoring]) assert.equal((await shop.becomes(id, 'dead')).error?.code, 'job-timed-out');
  await shop.becomes(next.id, 'done');
  hang.resolve();
});

test('progress is told with rate and time left, and written beside the heartbeat, not by the call', async (t) => {
  const shop = await openWorkshop(t);
  const end = Promise.withResolvers<void>();
  const kind = numbered(async ({ progress }) => {
    for (let done = 0; done <= 50_000; done += 1) progress(done, 100_000);
    const more = setInterval(() => progress(60_000, 100_000), 1);
    await end.promise;
    clearInterval(more);
    progress(100_000);
  });
  const { id } = await enqueue(shop.database, kind, { number: 1 }, { tenant: TENANT });
  await shop.worker([kind]);
  const half = await until(async () => {
    const { progress } = await shop.show(id);
    return progress.rowsPerSecond !== undefined && progress;
  });
  assert.equal(half.total, 100_000);
  assert.ok(half.done >= 50_000 && half.done <= 60_000);
  const { rows } = await shop.pool.query('select n_tup_upd::int as updates from pg_stat_user_tables where relid = $1::regclass', [
    'safekeep.jobs',
  ]);
  assert.ok(rows[0].updates < 20, `${rows[0].updates} updates for 50,000 calls`);
  end.resolve();
  const done = await shop.becomes(id, 'done');
  assert.deepEqual([done.progress.done, done.progress.total], [100_000, 100_000]);
});

test('a result that cannot be stored fails its own job only', async (t) => {
  const shop = await openWorkshop(t);
  const kind = numbered(async (_context, { number }) => (number === 1 ? 'a\u0000b' : number), {
    retry: { limit: 0, backoff: { firstMs: 0, maxMs: 0 } },
  });
  const [bad, good] = await enqueueBatch(shop.database, kind, [{ payload: { number: 1 } }, { payload: { number: 2 } }], {
    tenant: TENANT,
  });
  assert.ok(bad && good);
  await shop.worker([kind]);
  assert.equal((await shop.becomes(bad.id, 'dead')).error?.code, 'internal');
  assert.equal((await shop.becomes(good.id, 'done')).result, 2);
});

test('a job in the queue without a row of ours, as `migrate down` leaves it, is dropped and harms nobody', async (t) => {
  const shop = await openWorkshop(t);
  const kind = numbered(async () => undefined);
  const { id: orphan } = await enqueue(shop.database, kind, { number: 1 }, { tenant: TENANT });
  await shop.pool.query('delete from safekeep.jobs');
  const { id } = await enqueue(shop.database, kind, { number: 2 }, { tenant: TENANT });
  await shop.worker([kind]);
  await shop.becomes(id, 'done');
  assert.equal((await shop.pool.query('select from safekeep_jobs.job where id = $1', [orphan])).rowCount, 0);
});
