import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killAndLook } from '../testing/killed-writers.ts';

test('after ten kills in the middle of writing every acknowledged entry is there, once, and the chain verifies', async (t) => {
  const acknowledged = await killAndLook(t, 10, Math.random);
  t.diagnostic(`${acknowledged} entries were acknowledged`);
  assert.ok(acknowledged > 10);
});
