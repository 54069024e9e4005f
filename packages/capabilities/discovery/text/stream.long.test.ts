import assert from 'node:assert/strict';
import { it } from 'node:test';
import { detectStreamed } from './testing/streamed.ts';

const MIB = 1024 * 1024;

it('a file of 1 GB is read in less than 200 MiB', async () => {
  const { items, rssBytes } = await detectStreamed(1_000_000_000);
  assert.ok(items > 1_000_000);
  assert.ok(rssBytes < 200 * MIB, `${rssBytes / MIB} MiB`);
});
