import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agreed, workbench } from '../testing/workbench.ts';
import { encryptField } from './encrypt-field.ts';

const ROWS = 3_000;
/** Pages that the server looks at for a row: some while it is read, locked, changed, and found in its indexes; not those of all others. */
const BLOCKS_A_ROW = 50;

test('a row that somebody holds makes its batch no dearer for the others of it', async (t) => {
  const bench = await workbench(t, {
    setUp: `create extension pg_stat_statements; create table people (id integer primary key, email text);
      insert into people select n, 'person' || n || '@example.org' from generate_series(1, ${ROWS}) as n; analyze people`,
  });
  const order = bench.order('public.people.email');
  await encryptField(bench.ground, { ...order, until: 'dual-write' }, agreed);
  const holder = await bench.pool.connect();
  await holder.query('begin; select from people where id = 7 for update');
  let released: { readonly beside: number; readonly over: Promise<unknown> } | undefined;
  const ground = {
    ...bench.ground,
    observe: (moment: string, _field: unknown, { done }: { readonly done: number }) => {
      if (moment === 'committed' && done > 0) released ??= { beside: done, over: holder.query('rollback') };
    },
  };
  const { field } = await encryptField(ground, order, agreed).finally(async () => {
    await released?.over;
    holder.release(true);
  });
  assert.deepEqual([field.phase, field.done, released?.beside], ['switched', ROWS, ROWS - 1]);
  const { rows } = await bench.pool.query<{ blocks: number }>(
    `select max(shared_blks_hit + shared_blks_read)::float8 as blocks from pg_stat_statements
      where dbid = (select oid from pg_database where datname = current_database()) and query like '%update%people%'`,
  );
  const blocks = rows[0]?.blocks ?? Infinity;
  assert.ok(blocks < ROWS * BLOCKS_A_ROW, `${blocks} pages were looked at for ${ROWS} rows`);
});
