import { test } from 'node:test';
import { killedMoves, killedWays } from '../testing/kills.ts';

test('kill -9 at fifty random moments of an encryption with four writers loses and doubles nothing', async (t) => {
  await killedMoves(t, 50);
});

test('finish, rotate and decrypt, each killed -9 twenty times at random moments, lose nothing of what four clients go on writing', async (t) => {
  await killedWays(t, 20);
});
