import assert from 'node:assert/strict';
import { test } from 'node:test';
import { longest } from './longest.ts';

const FILES = [
  { path: 'packages/core/short.ts', text: 'export const one = 1;\n' },
  {
    path: 'packages/core/long.ts',
    text: 'export function long(): void {\n  f();\n}\n\nconst arrow = () => {\n\n\n  f();\n};\nclass A {\n  method() {\n  }\n}\n',
  },
  { path: 'packages/core/long.test.ts', text: '\n'.repeat(1_000) },
];

test('files and functions are listed longest first, tests left out', () => {
  const { files, functions } = longest(FILES, 10);
  assert.deepEqual(
    files.map(({ path, lines }) => [path, lines]),
    [
      ['packages/core/long.ts', 13],
      ['packages/core/short.ts', 1],
    ],
  );
  assert.deepEqual(
    functions.map(({ name, line, lines }) => [name, line, lines]),
    [
      ['arrow', 5, 5],
      ['long', 1, 3],
      ['method', 11, 2],
    ],
  );
});

test('no more than asked for are listed', () => {
  assert.equal(longest(FILES, 1).functions.length, 1);
});
