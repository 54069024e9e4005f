import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportAndErase } from '../testing/large-person.ts';

test('a person of five million rows is exported and erased in bounded memory, over a kill -9', async (t) => {
  await exportAndErase(t, 5_000_000);
  assert.ok(t.name);
});
