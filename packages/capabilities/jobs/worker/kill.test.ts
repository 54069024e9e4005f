import assert from 'node:assert/strict';
import { test } from 'node:test';
import { enqueue } from '../actions/enqueue.ts';
import { openCrew, survivesKills } from '../testing/kills.ts';
import { EFFECTS, poison, stepped } from '../testing/kinds.ts';
import { openWorkshop, TENANT, until } from '../testing/workshop.ts';

test('workers killed with -9 at ten random moments lose nothing and double nothing', async (t) => {
  const shop = await openWorkshop(t);
  const { jobs, struck } = await survivesKills(shop, { kills: 10, workers: 3, backlog: 60, seed: 20_261_121 });
  assert.ok(struck > 0, 'no kill struck in the middle of a job');
  t.diagnostic(`${jobs} jobs, ${struck} of them started and not ended at the moment of a kill`);
});

test('a job that kills its process is counted, ends with the dead letters, and the others go on', async (t) => {
  const shop = await openWorkshop(t);
  await shop.pool.query(EFFECTS);
  const guilty = await enqueue(shop.database, poison, {}, { tenant: TENANT });
  const crew = await openCrew(shop, 1);
  try {
    for (const attempt of [1, 2, 3]) {
      await until(async () => (await shop.show(guilty.id)).attempt === attempt);
      await crew.kill(0);
    }
    const dead = await shop.becomes(guilty.id, 'dead');
    assert.equal(dead.attempt, 3);
    assert.equal(dead.error?.code, 'job-worker-lost');
    const innocent = await enqueue(shop.database, stepped, {}, { tenant: TENANT });
    await shop.becomes(innocent.id, 'done');
  } finally {
    await crew.dismiss();
  }
});
