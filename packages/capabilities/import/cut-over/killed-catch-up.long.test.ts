import { test } from 'node:test';
import { killAndCatchUp } from './testing/killed-catch-up.ts';

test('fifty catchings up killed at random moments never leave the target in a state that was none', async (t) => {
  await killAndCatchUp(t, 50, Math.random);
});
