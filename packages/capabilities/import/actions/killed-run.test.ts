import { test } from 'node:test';
import { killAndLook } from '../testing/killed-runs.ts';

// Spread evenly with an odd step instead of at random: a failure can be repeated.
const evenly = (): (() => number) => {
  let step = 0;
  return () => ((step += 1) * 0.618_034) % 1;
};

test('an import that is killed at any moment leaves either nothing or everything, and the next one goes through', async (t) => {
  await killAndLook(t, 10, evenly());
});
