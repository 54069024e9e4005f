import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertInvariants } from '../soak/invariants.ts';
import { soak } from '../soak/mixed-load.ts';

test('after ten minutes of mixed load with a kill -9 each minute every invariant holds', { timeout: 2_400_000 }, async (t) => {
  const soaked = await soak(t, { forMs: 600_000, killEveryMs: 60_000 });
  t.diagnostic(`${soaked.kills} kills, ${soaked.writes} writes, ${soaked.commands} commands, ${soaked.erased.size} erased`);
  assert.ok(soaked.kills >= 9 && soaked.commands > 20);
  await assertInvariants(soaked);
});
