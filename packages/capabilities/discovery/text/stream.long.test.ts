import assert from 'node:assert/strict';
import { it } from 'node:test';
import { detectStreamed } from './testing/streamed.ts';

const MIB = 1024 * 1024;

it('a file of 1 GB is read in constant memory', async () => {
  const { items, rssBytes } = await detectStreamed(1_000_000_000);
  assert.ok(items > 1_000_000);
  // It is some 200 MiB at 2 MB already, most of it programs and the headroom of the collector.
  assert.ok(rssBytes < 240 * MIB, `${rssBytes / MIB} MiB`);
});
