import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertInvariants } from './invariants.ts';
import { soak } from './mixed-load.ts';

test('after half a minute of mixed load with two kills every invariant holds', { timeout: 600_000 }, async (t) => {
  const soaked = await soak(t, { forMs: 30_000, killEveryMs: 12_000 });
  assert.ok(soaked.kills > 1 && soaked.writes > 50, JSON.stringify({ kills: soaked.kills, writes: soaked.writes }));
  await assertInvariants(soaked);
});
