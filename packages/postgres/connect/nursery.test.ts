import assert from 'node:assert/strict';
import { PerformanceObserver } from 'node:perf_hooks';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { getHeapSpaceStatistics } from 'node:v8';
import { inRoomyNursery, keepNurserySmall, shrinkNursery } from './nursery.ts';

const MIB = 2 ** 20;

function nurseryBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;
}

/** Batches that live until the next one comes; answers how large the nursery became and how often it was collected. */
async function passBatches(): Promise<{ readonly largest: number; readonly collections: number }> {
  let collections = 0;
  const counter = new PerformanceObserver((list) => void (collections += list.getEntries().length));
  counter.observe({ entryTypes: ['gc'] });
  let largest = 0;
  for (let batch = 0; batch < 100; batch += 1) {
    const rows = Array.from({ length: 10_000 }, (_, row) => ({ row, text: `row ${row}`, parts: [batch] }));
    await turn();
    largest = Math.max(largest, nurseryBytes());
    assert.equal(rows.length, 10_000);
  }
  counter.disconnect();
  return { largest, collections };
}

test('work in a roomy nursery is collected seldom and in bounded memory, and what follows it in a small one', async () => {
  keepNurserySmall();
  shrinkNursery();
  const small = await passBatches();
  const roomy = await inRoomyNursery(passBatches);
  shrinkNursery();
  const after = await passBatches();

  assert.ok(roomy.collections < small.collections / 2, `${roomy.collections} of ${small.collections} collections`);
  assert.ok(roomy.largest > small.largest && roomy.largest <= 64 * MIB, `${roomy.largest / MIB} MiB`);
  assert.ok(after.largest < roomy.largest / 2, `${after.largest / MIB} MiB after ${roomy.largest / MIB} MiB`);
});
