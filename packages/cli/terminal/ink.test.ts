import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { printable } from './ink.ts';

test('no text of a result can steer the terminal', () => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.constantFrom('\u001b[2J', '\u001b]0;title\u0007', '\u009b31m', '\r', '\u0000'),
      (value, attack) => {
        const shown = JSON.stringify(printable({ value, [`key${attack}`]: [`before${attack}after`, { deep: attack }] }));
        // JSON writes what is left of control characters as escapes; line feeds and tabs are harmless.
        assert.doesNotMatch(shown, /\\u00[01][0-9a-f](?<!\\u0009|\\u000a)|\\r|[\u007f-\u009f]/);
      },
    ),
  );
});

test('ordinary text in any script stays as it is', () => {
  const result = { name: 'Zoë 田中 😀', lines: ['a\nb\tc'], count: 3, none: null };
  assert.deepEqual(printable(result), result);
});
