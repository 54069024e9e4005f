import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Kysely, PostgresDialect } from 'kysely';
import { Type } from '@safekeep/core/schema';
import { isSafekeepError } from '@safekeep/core';
import { job } from '../model.ts';
import { openWorkshop, TENANT } from '../testing/workshop.ts';
import { enqueue, enqueueBatch } from './enqueue.ts';
import { listJobs, showJob } from './list-jobs.ts';
import { newId } from '@safekeep/core';

const kind = job({
  kind: 'mail',
  payload: Type.Object({ to: Type.Integer() }),
  version: 1,
  retry: { limit: 0, backoff: { firstMs: 0, maxMs: 0 } },
  timeoutMs: 1_000,
  concurrency: { perWorker: 1 },
  run: async () => undefined,
});

test('the same key twice is one job, also at the same moment; another payload under it is refused; kinds and tenants do not share keys', async (t) => {
  const shop = await openWorkshop(t);
  await shop.pool.query("insert into safekeep.tenants (tenant_id, name) values ('other', 'Other')");
  const ask = (to: number, tenant = TENANT) => enqueue(shop.database, kind, { to }, { tenant, key: 'order-1' });
  const answers = await Promise.all([ask(1), ask(1), ask(1), ask(1)]);
  assert.equal(new Set(answers.map(({ id }) => id)).size, 1);
  assert.equal(answers.filter(({ isNew }) => isNew).length, 1);
  await assert.rejects(ask(2), (error) => isSafekeepError(error, 'job-key-reused'));
  assert.equal((await ask(2, 'other')).isNew, true);
  const other = await enqueue(shop.database, { ...kind, kind: 'letter' }, { to: 2 }, { tenant: TENANT, key: 'order-1' });
  assert.equal(other.isNew, true);
  assert.equal((await listJobs(shop.database, { tenant: TENANT, limit: 10 })).jobs.length, 2);
  assert.equal((await shop.pool.query('select from safekeep_jobs.job')).rowCount, 3);
});

test('a batch with keys twice in it makes each job once and says which were there', async (t) => {
  const shop = await openWorkshop(t);
  const items = [
    { payload: { to: 1 }, key: 'a' },
    { payload: { to: 1 }, key: 'a' },
    { payload: { to: 2 } },
    { payload: { to: 3 }, key: 'b' },
  ];
  const answers = await enqueueBatch(shop.database, kind, items, { tenant: TENANT });
  assert.deepEqual(
    answers.map(({ isNew }) => isNew),
    [true, false, true, true],
  );
  assert.equal(answers[0]?.id, answers[1]?.id);
});

test('a payload that does not fit is refused before anything is written', async (t) => {
  const shop = await openWorkshop(t);
  // As from a caller without types.
  const wrong = { to: 'Jane' } as unknown as { to: number };
  await assert.rejects(enqueue(shop.database, kind, wrong, { tenant: TENANT }), (error) =>
    isSafekeepError(error, 'job-payload-invalid'),
  );
  assert.equal((await shop.pool.query('select from safekeep.jobs')).rowCount, 0);
});

test('a tenant that is not there is refused', async (t) => {
  const shop = await openWorkshop(t);
  await assert.rejects(enqueue(shop.database, kind, { to: 1 }, { tenant: 'nobody' }), (error) =>
    isSafekeepError(error, 'job-tenant-unknown'),
  );
});

test('a job enqueued in a transaction is there if and only if that is committed, on either kind of client', async (t) => {
  const shop = await openWorkshop(t);
  await enqueue(shop.database, kind, { to: 0 }, { tenant: TENANT });
  for (const [end, expected] of [
    ['rollback', 1],
    ['commit', 2],
  ] as const) {
    await shop.database.withClient(async (client) => {
      await client.query('begin');
      await enqueue(shop.database, kind, { to: 1 }, { tenant: TENANT, transaction: client });
      await client.query(end);
    });
    assert.equal((await listJobs(shop.database, { tenant: TENANT, limit: 10 })).jobs.length, expected);
  }
  await new Kysely<unknown>({ dialect: new PostgresDialect({ pool: shop.pool }) })
    .transaction()
    .execute((transaction) => enqueue(shop.database, kind, { to: 2 }, { tenant: TENANT, transaction }));
  assert.equal((await listJobs(shop.database, { tenant: TENANT, limit: 10 })).jobs.length, 3);
  assert.equal((await shop.pool.query('select from safekeep_jobs.job')).rowCount, 3);
});

test('a list is newest first, by state and kind, page by page without a gap, and shows no other tenant', async (t) => {
  const shop = await openWorkshop(t);
  await shop.pool.query("insert into safekeep.tenants (tenant_id, name) values ('other', 'Other')");
  const items = Array.from({ length: 25 }, (_, to) => ({ payload: { to } }));
  const enqueued = await enqueueBatch(shop.database, kind, items, { tenant: TENANT });
  const hidden = await enqueueBatch(shop.database, kind, items.slice(0, 3), { tenant: 'other' });
  await enqueue(shop.database, { ...kind, kind: 'letter' }, { to: 1 }, { tenant: TENANT });
  const ids: string[] = [];
  let cursor: string | null = null;
  do {
    // A cursor is the id of a job.
    const page = await listJobs(shop.database, {
      tenant: TENANT,
      kind: 'mail',
      state: 'queued',
      limit: 10,
      cursor: (cursor ?? undefined) as never,
    });
    ids.push(...page.jobs.map(({ id }) => id));
    cursor = page.next;
  } while (cursor !== null);
  assert.deepEqual(ids, enqueued.map(({ id }) => id).toReversed());
  assert.equal((await listJobs(shop.database, { tenant: TENANT, state: 'dead', limit: 10 })).jobs.length, 0);
  const [foreign] = hidden;
  assert.ok(foreign);
  await assert.rejects(showJob(shop.database, TENANT, foreign.id), (error) => isSafekeepError(error, 'job-unknown'));
  await assert.rejects(showJob(shop.database, TENANT, newId<'job'>()), (error) => isSafekeepError(error, 'job-unknown'));
});
