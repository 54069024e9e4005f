import { test } from 'node:test';
import { killedMoves } from '../testing/kills.ts';

test('kill -9 at fifty random moments of an encryption with four writers loses and doubles nothing', async (t) => {
  await killedMoves(t, 50);
});
