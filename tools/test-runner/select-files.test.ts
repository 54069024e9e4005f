import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFixture } from '../fixture.ts';
import { UsageError } from './options.ts';
import { selectFiles } from './select-files.ts';

const FILES = {
  'packages/core/ids.test.ts': 'short',
  'packages/core/clock.test.ts': 'the longest of them all',
  'packages/core/clock.ts': '',
  'packages/core/node_modules/x/x.test.ts': '',
  'packages/core/dist/ids.test.ts': '',
  'tools/tidy/tidy.test.ts': 'middling',
  'tests/soak/soak.test.ts': '',
  'tests/attack/flood.long.test.ts': '',
};

function select(filters: readonly string[], long = false): string[] {
  using fixture = createFixture(FILES);
  return selectFiles({ root: fixture.root, filters, long });
}

test('without filters every test file is selected, those of the whole product and then the biggest first, built and foreign ones left out', () => {
  assert.deepEqual(select([]), [
    'tests/soak/soak.test.ts',
    'packages/core/clock.test.ts',
    'tools/tidy/tidy.test.ts',
    'packages/core/ids.test.ts',
  ]);
});

test('long tests are selected only when asked for', () => {
  assert.ok(!select([]).includes('tests/attack/flood.long.test.ts'));
  assert.ok(select([], true).includes('tests/attack/flood.long.test.ts'));
});

test('a filter is a file, a folder or a part of a path', () => {
  assert.deepEqual(select(['packages/core/ids.test.ts']), ['packages/core/ids.test.ts']);
  assert.deepEqual(select(['./packages/core/ids.test.ts']), ['packages/core/ids.test.ts']);
  assert.deepEqual(select(['packages/core/']), ['packages/core/clock.test.ts', 'packages/core/ids.test.ts']);
  assert.deepEqual(select(['clock']), ['packages/core/clock.test.ts']);
});

test('several filters select each file once', () => {
  assert.deepEqual(select(['clock', 'packages/core']), ['packages/core/clock.test.ts', 'packages/core/ids.test.ts']);
});

test('a filter that matches nothing is refused by name, and a long test needs its flag', () => {
  assert.throws(
    () => select(['clok']),
    (error) => error instanceof UsageError && /clok/.test(error.message),
  );
  assert.throws(
    () => select(['flood']),
    (error) => error instanceof UsageError && /--long/.test(error.message),
  );
});
