import { test } from 'node:test';
import { killAndCatchUp } from './testing/killed-catch-up.ts';

// Spread evenly with an odd step instead of at random: a failure can be repeated.
const evenly = (): (() => number) => {
  let step = 0;
  return () => ((step += 1) * 0.618_034) % 1;
};

test('a catching up that is killed at any moment leaves the target at a whole state, and the next one goes on from there', async (t) => {
  await killAndCatchUp(t, 10, evenly());
});
