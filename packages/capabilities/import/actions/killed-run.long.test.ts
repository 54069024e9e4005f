import { test } from 'node:test';
import { killAndLook } from '../testing/killed-runs.ts';

test('fifty imports killed at random moments never leave a wrong state', async (t) => {
  await killAndLook(t, 50, Math.random);
});
