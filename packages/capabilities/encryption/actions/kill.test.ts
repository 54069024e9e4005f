import { test } from 'node:test';
import { killAndLook } from '../testing/kills.ts';

test('10 kills in the middle of rolls, rotations and shreds lose no key and leave none alive', async (t) => {
  await killAndLook(t, 10, Math.random);
});
