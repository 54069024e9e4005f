import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killAndLook } from '../testing/killed-erasures.ts';

test('fifty kills leave nothing half erased', async (t) => {
  const interrupted = await killAndLook(t, 50, Math.random);
  assert.ok(interrupted > 5, `${interrupted} kills came in time`);
});
