import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareAndErase } from '../testing/random-people.ts';

test('over hundreds of random schemas, maps and people: export and erasure see the same rows, and no row of anybody else changes', async (t) => {
  assert.ok((await compareAndErase(t, 400)) >= 400);
});
