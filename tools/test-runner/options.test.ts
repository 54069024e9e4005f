import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { readOptions, UsageError } from './options.ts';

test('without arguments one file more than there are cores runs at once and long tests are left out', () => {
  assert.deepEqual(readOptions([]), { filters: [], long: false, jobs: availableParallelism() + 1 });
});

test('filters and flags may stand in any order', () => {
  assert.deepEqual(readOptions(['core', '--long', '--jobs', '3', 'tools']), { filters: ['core', 'tools'], long: true, jobs: 3 });
});

test('an unknown flag and a senseless number of jobs are refused', () => {
  assert.throws(() => readOptions(['--lnog']), UsageError);
  for (const jobs of ['0', '-1', '1.5', 'many']) assert.throws(() => readOptions([`--jobs=${jobs}`]), UsageError);
});
