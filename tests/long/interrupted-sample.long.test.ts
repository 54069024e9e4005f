import { test } from 'node:test';
import { assertWhole, interruptEverywhere } from '../recovery/interrupted-job.ts';

for (const signal of ['SIGKILL', 'SIGINT'] as const)
  test(`on the sample practice ${signal} in each step, later each time, leaves nothing half-done`, async (t) => {
    for (const round of [1, 2])
      await assertWhole(await interruptEverywhere(t, { signal, afterMs: (place) => (place * 731 * round) % 2_500 }), new Map());
  });
