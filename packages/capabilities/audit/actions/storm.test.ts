import { test } from 'node:test';
import { survivesStorm } from '../testing/random-writers.ts';

// Starting a process takes longer than all the rest; the others are sequenced here, by two at a time.
const KILLED = 2;

for (const seed of Array.from({ length: 10 }, (_, place) => place + 1)) {
  test(`nothing is lost and nothing doubled while sequencers are killed, seed ${seed}`, async (t) => {
    await survivesStorm(t, { seed, writers: 8, transactions: 8, kills: seed <= KILLED ? 2 : 0 });
  });
}
