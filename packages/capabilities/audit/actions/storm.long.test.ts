import { test } from 'node:test';
import { survivesStorm } from '../testing/random-writers.ts';

for (const seed of Array.from({ length: 50 }, (_, place) => place + 101)) {
  test(`nothing is lost and nothing doubled while sequencers are killed again and again, seed ${seed}`, async (t) => {
    await survivesStorm(t, { seed, writers: 8, transactions: 60, kills: 8 });
  });
}
