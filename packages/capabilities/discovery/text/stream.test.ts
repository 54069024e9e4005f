import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { detectStreamed } from './testing/streamed.ts';

const MIB = 1024 * 1024;

describe('a file of any size', () => {
  it('is read in constant memory', async () => {
    const few = await detectStreamed(2 * MIB);
    const many = await detectStreamed(40 * MIB);
    assert.ok(many.items > 15 * few.items);
    // Kept, the items with their findings would be more than half a gigabyte. Measured: 10 more, or as many less.
    assert.ok(many.rssBytes < few.rssBytes + 60 * MIB, `${many.rssBytes / MIB} MiB against ${few.rssBytes / MIB} MiB`);
  });
});
