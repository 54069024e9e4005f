import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killAndLook } from '../testing/killed-writers.ts';

test('after fifty kills in the middle of writing every acknowledged entry is there, once, and the chain verifies', async (t) => {
  const acknowledged = await killAndLook(t, 50, Math.random);
  t.diagnostic(`${acknowledged} entries were acknowledged`);
  assert.ok(acknowledged > 50);
});
