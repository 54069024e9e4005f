import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryHome } from 'safekeep/testing';
import { assertWhole, interruptEverywhere, makeShop } from './interrupted-job.ts';

// Different moments of a step, the same in every run of the test.
const moments = (place: number): number => (place * 137) % 400;

for (const signal of ['SIGKILL', 'SIGINT'] as const)
  test(
    `the main job that gets ${signal} in each of its steps comes to its end when it is started again, and nothing is half-done`,
    { timeout: 600_000 },
    async (t) => {
      const file = join(await temporaryHome(t), 'shop.db');
      const rows = makeShop(file);
      await assertWhole(await interruptEverywhere(t, { signal, afterMs: moments, file }), rows);
    },
  );
