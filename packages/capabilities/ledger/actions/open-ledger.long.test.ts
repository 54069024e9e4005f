import assert from 'node:assert/strict';
import { test } from 'node:test';
import { intent, workbench } from '../testing/workbench.ts';

test('a hundred thousand entries are appended, read and verified', async (t) => {
  const { open, verify } = await workbench(t);
  const ledger = await open();
  const marks = [ledger.mark({ tenant: 'default', table: 'public.patients', subjectKeyId: 'k', primaryKey: ['1'] })];
  let startMs = performance.now();
  for (let batch = 0; batch < 100; batch += 1)
    await ledger.appendAll(Array.from({ length: 1000 }, () => intent(undefined, { marks })));
  const rate = (count: number): number => Math.round(count / ((performance.now() - startMs) / 1000));
  t.diagnostic(`appended by thousands: ${rate(100_000)} entries a second`);
  startMs = performance.now();
  const { ok, entries: count, segments } = await verify();
  t.diagnostic(`verified: ${rate(100_000)} entries a second, in ${segments} segments`);
  assert.deepEqual([ok, count], [true, 100_000]);
  startMs = performance.now();
  for (let single = 0; single < 200; single += 1) await ledger.append(intent());
  t.diagnostic(`appended one by one: ${rate(200)} entries a second`);
  startMs = performance.now();
  assert.equal((await ledger.openIntents()).length, 100_200);
  t.diagnostic(`open intents found: ${rate(100_200)} entries a second`);
});
