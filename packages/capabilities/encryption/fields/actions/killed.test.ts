import { test } from 'node:test';
import { killedMoves } from '../testing/kills.ts';

test('kill -9 at ten random moments of an encryption with four writers loses and doubles nothing, and the way back leaves no trace', async (t) => {
  await killedMoves(t, 10);
});
