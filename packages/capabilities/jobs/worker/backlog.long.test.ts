import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from '@safekeep/core/schema';
import { enqueueBatch } from '../actions/enqueue.ts';
import { listJobs } from '../actions/list-jobs.ts';
import { job, jobStates } from '../model.ts';
import { openWorkshop, TENANT, until } from '../testing/workshop.ts';

const JOBS = 100_000;

test('a hundred thousand queued jobs are each run once, and looking at them reads a page, not the heap', async (t) => {
  const shop = await openWorkshop(t);
  await shop.pool.query("insert into safekeep.tenants (tenant_id, name) values ('other', 'Other')");
  const runs = new Uint8Array(JOBS);
  const kind = job({
    kind: 'counted',
    payload: Type.Object({ number: Type.Integer() }),
    version: 1,
    retry: { limit: 0, backoff: { firstMs: 0, maxMs: 0 } },
    timeoutMs: 60_000,
    concurrency: { perWorker: 100 },
    run: async (_context, { number }) => void (runs[number] = (runs[number] ?? 0) + 1),
  });
  const started = performance.now();
  await enqueueBatch(
    shop.database,
    kind,
    Array.from({ length: JOBS }, (_, number) => ({ payload: { number } })),
    { tenant: TENANT },
  );
  const enqueued = performance.now();
  await shop.pool.query('vacuum analyze');
  for (const state of [undefined, ...jobStates]) {
    const before = await blocksRead();
    await listJobs(shop.database, { tenant: TENANT, state, limit: 50 });
    const blocks = (await blocksRead()) - before;
    assert.ok(blocks < 200, `${blocks} blocks for a page of ${state ?? 'all'} jobs`);
  }
  await Promise.all([shop.worker([kind], { concurrency: 100 }), shop.worker([kind], { concurrency: 100 })]);
  await until(
    async () => (await shop.pool.query("select from safekeep.jobs where state <> 'done' limit 1")).rowCount === 0,
    300_000,
  );
  assert.ok(runs.every((count) => count === 1));
  const seconds = [(enqueued - started) / 1_000, (performance.now() - enqueued) / 1_000].map((value) => value.toFixed(1));
  t.diagnostic(`enqueued in ${seconds[0]} s, run by two workers in ${seconds[1]} s`);

  /** Of table and indexes; statistics of a backend are sent when it is idle, at once after this call. */
  async function blocksRead(): Promise<number> {
    await shop.database.withClient((client) => client.query('select pg_stat_force_next_flush()'));
    const { rows } = await shop.pool.query<{ blocks: number }>(
      `select (heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit)::int as blocks from pg_statio_user_tables where relid = 'safekeep.jobs'::regclass`,
    );
    return rows[0]?.blocks ?? 0;
  }
});
