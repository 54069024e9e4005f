import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onRelease, releaseHold } from '../../holds/index.ts';
import { DIFFICULT, DIFFICULT_MAP, workbench } from '../testing/workbench.ts';
import { requeueErasures, runErasures } from './open-erasures.ts';

test('an approval is of these rows with this done to each, of this person, for seven days, and of nobody else', async (t) => {
  const bench = await workbench(t, { schema: DIFFICULT, map: DIFFICULT_MAP });
  const duties = await bench.plan('patient:42');
  // As many rows of as many years are kept, but others.
  await bench.pool.query(
    `update invoices set issued_at = case id when 6 then date '2001-01-01' else date '2019-01-01' end where id in (6, 9)`,
  );
  const swapped = await bench.plan('patient:42');
  assert.deepEqual(swapped.tables, duties.tables);
  await assert.rejects(bench.approve('patient:42', duties.hash), { code: 'erasure-plan-changed' });
  const renamed = await bench.plan('patient:44');
  await bench.pool.query(`update patients set full_name = 'Dee Eng', email = 'dee@example.org' where id = 44`);
  await assert.rejects(bench.approve('patient:44', renamed.hash), { code: 'erasure-plan-changed' });
  const old = await bench.plan('patient:43');
  bench.clock.advanceMs(8 * 86_400_000);
  await assert.rejects(bench.approve('patient:43', old.hash), { code: 'erasure-plan-expired' });
  assert.equal((await bench.plan('patient:43')).hash, old.hash);
  const done = await bench.approve('patient:43', old.hash);
  assert.equal(done.state, 'kept');
  await bench.pool.query(`update safekeep.erasures set state = 'outside', subject_key = '43'`);
  await assert.rejects(bench.approve('patient:42', old.hash), { code: 'erasure-plan-unknown' });
});

test('the hash of a plan is of this home: nobody with the map and the certificate can try whom it was of', async (t) => {
  const [one, other] = [
    await workbench(t, { schema: DIFFICULT, map: DIFFICULT_MAP }),
    await workbench(t, { schema: DIFFICULT, map: DIFFICULT_MAP }),
  ];
  assert.notEqual((await one.plan('patient:44')).hash, (await other.plan('patient:44')).hash);
});

test('what a hold had put off is planned by nobody when it ends, and the certificate says so and who had approved it before', async (t) => {
  const bench = await workbench(t, { schema: DIFFICULT, map: DIFFICULT_MAP });
  t.after(onRelease(requeueErasures));
  const id = await bench.hold('public.visits:1,1');
  const { hash } = await bench.plan('patient:43');
  assert.equal((await bench.approve('patient:43', hash)).state, 'held');
  await releaseHold(bench.database, { tenant: 'default', clock: bench.clock }, { id, by: 'ann', reason: 'over' });
  assert.equal((await runErasures(bench.ground)).erasures[0]?.error, null);
  const { rows } = await bench.pool.query(
    `select certificate -> 'document' as document from safekeep.erasures order by erasure_id desc limit 1`,
  );
  const { plannedBy, approvedBy, approvedBefore } = rows[0]?.document ?? {};
  assert.deepEqual([plannedBy, approvedBy], ['safekeep (a hold has ended)', 'safekeep (a hold has ended)']);
  assert.deepEqual(approvedBefore, [{ plan: hash, plannedBy: 'ann', approvedBy: 'ben' }]);
});

test('an erasure that a hold stops is remembered once, however often it was approved', async (t) => {
  const bench = await workbench(t, { schema: DIFFICULT, map: DIFFICULT_MAP });
  t.after(onRelease(requeueErasures));
  const id = await bench.hold('patient:43');
  const { hash } = await bench.plan('patient:43', 'delete');
  for (const by of ['ben', 'cy']) await assert.rejects(bench.approve('patient:43', hash, { by }), { code: 'erasure-held' });
  await releaseHold(bench.database, { tenant: 'default', clock: bench.clock }, { id, by: 'ann', reason: 'over' });
  const { erasures } = await runErasures(bench.ground);
  assert.deepEqual(
    erasures.map(({ state, error }) => [state, error]),
    [['kept', null]],
  );
  assert.deepEqual((await runErasures(bench.ground)).erasures, []);
});
