import assert from 'node:assert/strict';
import { test } from 'node:test';
import { survivesKills } from '../testing/kills.ts';
import { openWorkshop } from '../testing/workshop.ts';

test('workers killed with -9 at a hundred random moments lose nothing and double nothing', async (t) => {
  const shop = await openWorkshop(t);
  const { jobs, struck } = await survivesKills(shop, { kills: 100, workers: 3, backlog: 100, seed: 100_200_300 });
  assert.ok(struck > 0, 'no kill struck in the middle of a job');
  t.diagnostic(`${jobs} jobs, ${struck} of them started and not ended at the moment of a kill`);
});
