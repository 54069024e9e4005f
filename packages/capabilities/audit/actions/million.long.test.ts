import assert from 'node:assert/strict';
import { test } from 'node:test';
import { workbench } from '../testing/workbench.ts';

const MILLION = 1_000_000;

test('an UPDATE of a million rows is a million events, each once and in the signed tree', { timeout: 3_600_000 }, async (t) => {
  const bench = await workbench(t, {
    setUp: `create table things (id integer primary key, v text); insert into things select n, 'v' from generate_series(1, ${MILLION}) as n`,
  });
  const plain = { category: 'none', note: 'looked at' };
  await bench.capture({ 'public.things': { of: 'none', note: 'x', columns: { id: plain, v: plain } } });
  await bench.pool.query(`update things set v = 'w'`);
  assert.equal((await bench.sequence()).events, MILLION);
  const { rows } = await bench.pool.query<{ events: number; records: number }>(
    'select count(*)::integer as events, count(distinct record)::integer as records from safekeep.audit_events',
  );
  assert.deepEqual(rows, [{ events: MILLION, records: MILLION }]);
  const { ok, faults, checked } = await bench.verify();
  assert.deepEqual([ok, faults, checked], [true, [], MILLION]);
});
