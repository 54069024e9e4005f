import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { printable } from './ink.ts';

// Line feeds and tabs are harmless.
const STEERING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

function textsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => [key, ...textsOf(item)]);
}

test('no text of a result can steer the terminal', () => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.constantFrom('\u001b[2J', '\u001b]0;title\u0007', '\u009b31m', '\r', '\u0000'),
      (value, attack) => {
        const shown = printable({ value, [`key${attack}`]: [`before${attack}after`, { deep: attack }] });
        assert.deepEqual(
          textsOf(shown).filter((text) => STEERING.test(text)),
          [],
        );
      },
    ),
  );
});

test('ordinary text in any script stays as it is', () => {
  const result = { name: 'Zoë 田中 😀', lines: ['a\nb\tc'], count: 3, none: null };
  assert.deepEqual(printable(result), result);
});
