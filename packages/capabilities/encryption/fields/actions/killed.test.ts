import { test } from 'node:test';
import { killedMoves, killedWays } from '../testing/kills.ts';

test('kill -9 at ten random moments of an encryption with four writers loses and doubles nothing, and the way back leaves no trace', async (t) => {
  await killedMoves(t, 10);
});

test('finish, rotate and decrypt, each killed -9 three times at random moments, lose nothing of what four clients go on writing', async (t) => {
  await killedWays(t, 3);
});
