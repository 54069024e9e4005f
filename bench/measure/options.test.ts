import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { readOptions } from './options.ts';

test('without arguments every bench runs at medium scale with its own number of runs', () => {
  assert.deepEqual(readOptions([]), { list: false, scale: 'medium', seed: 1, json: false });
});

test('name and flags are read in any order', () => {
  assert.deepEqual(readOptions(['--scale', 'large', 'catalog', '--runs=9', '--json', '--seed', '0']), {
    name: 'catalog',
    runs: 9,
    list: false,
    scale: 'large',
    seed: 0,
    json: true,
  });
});

for (const [args, problem] of [
  [['catalog', 'jobs'], /One bench at a time/],
  [['--scale', 'huge'], /small, medium, large; "huge"/],
  [['--runs', '0'], /--runs takes a whole number from 1 to 1000/],
  [['--runs', '1e3'], /"1e3" is none/],
  [['--seed', '-1'], /seed/],
  [['--wait'], /--wait/],
] as const) {
  test(`\`${args.join(' ')}\` is refused as wrong usage`, () => {
    assert.throws(
      () => readOptions(args),
      (error) => isSafekeepError(error, 'usage') && problem.test(error.message) && error.message.includes('npm run bench'),
    );
  });
}
