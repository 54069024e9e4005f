import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killAndLook } from '../testing/killed-erasures.ts';

test('an erasure that is killed at any moment is done whole or not at all, and ledger, database and certificate agree', async (t) => {
  const interrupted = await killAndLook(t, 10, Math.random);
  assert.ok(interrupted > 0, 'no kill came in time');
});
