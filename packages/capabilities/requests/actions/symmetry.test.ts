import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareAndErase } from '../testing/random-people.ts';

test('over random schemas, maps and people: what an export shows an erasure deals with, and no row of anybody else changes', async (t) => {
  assert.ok((await compareAndErase(t, 25)) >= 25);
});
