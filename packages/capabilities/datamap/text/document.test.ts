import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSafekeepError } from '@safekeep/core';
import { readMapText } from './document.ts';

const refused: readonly (readonly [what: string, text: string, place: string, remedy: RegExp])[] = [
  ['a key that is none', 'version: 1\ntenat: fixed\n', '2:1', /Did you mean tenant\?/],
  [
    'a key of a column that is none',
    'version: 1\ntables:\n  a:\n    columns:\n      b: { category: x, protct: none }\n',
    '5:25',
    /Did you mean protect\?/,
  ],
  [
    'a word that is not allowed',
    'version: 1\ntables:\n  a:\n    columns:\n      b: { category: x, erase: shredd }\n',
    '5:32',
    /Did you mean shred\?/,
  ],
  ['a table twice in the same words', 'version: 1\ntables:\n  a: {}\n  a: {}\n', '4:3', /Join the two/],
  ['a table twice in other words', 'version: 1\ntables:\n  a: {}\n  public.a: {}\n', '4:3', /Join the two/],
  ['a table with capitals', 'version: 1\ntables:\n  Public.A: {}\n', '3:3', /double quotes/],
  ['a fault inside of a path', 'version: 1\ntables:\n  a:\n    of: { p: "x -> Y.z" }\n', '4:20', /-> table\.column/],
  [
    'a fault inside of a path in a list',
    'version: 1\ntables:\n  a:\n    of:\n      p:\n        - b\n        - c =>\n',
    '7:13',
    /-> table\.column/,
  ],
  ['a path that starts with a bracket', 'version: 1\ntables:\n  a:\n    of: { p: [x, y] -> b.z }\n', '4:21', /stands in quotes/],
  ['a tab', 'version: 1\ntables:\n\ta: {}\n', '3:1', /Indent with blanks/],
  ['a quote that is not closed', 'version: 1\nregion: "eu\n', '3:1', /Close what was opened/],
  ['two documents', 'version: 1\n---\nversion: 1\n', '2:1', /one map/],
  ['an empty file', '', '1:1', /./],
  ['a list', '- 1\n', '1:1', /./],
];
for (const [what, text, place, remedy] of refused) {
  test(`${what} is refused with file, line, column and a mend`, () => {
    assert.throws(
      () => readMapText(text, 'datamap.yaml'),
      (error: unknown) => {
        assert.ok(isSafekeepError(error, 'map-invalid'));
        const [, fault = ''] = error.message.split('\n');
        assert.ok(fault.startsWith(`  datamap.yaml:${place}: `), fault);
        assert.match(fault, remedy);
        return true;
      },
    );
  });
}

test('a note with commas is one note', () => {
  const { map } = readMapText(
    'version: 1\ntables:\n  a: { columns: { b: { category: none, note: looked at, not, personal , free_text: true } } }\n',
    'm',
  );
  const column = map.tables.get('public.a')?.columns.get('b');
  assert.equal(column?.note, 'looked at, not, personal');
  assert.equal(column?.freeText, true);
});

test('places are found by canonical names, whatever is written', () => {
  const { positionOf } = readMapText(
    'version: 1\ntables:\n  "public.a":\n    columns:\n      \'"X y"\': { category: user }\n  b: {}\n',
    'm',
  );
  assert.deepEqual(positionOf(['tables', 'public.a', 'columns', 'X y', 'category']), { line: 5, column: 18 });
  assert.deepEqual(positionOf(['tables', 'public.b', 'columns', 'gone']), { line: 6, column: 3 });
  assert.deepEqual(positionOf(['tables', 'public.nowhere']), { line: 2, column: 1 });
  assert.deepEqual(positionOf(['purposes', 'x']), { line: 1, column: 1 });
});

test('a file made to explode by its aliases is refused', () => {
  const lines = ['a: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 9; level += 1)
    lines.push(`b${level}: &a${level} [${Array.from({ length: 9 }, () => `*a${level - 1}`).join(', ')}]`);
  assert.throws(
    () => readMapText(lines.join('\n'), 'm'),
    (error: unknown) => isSafekeepError(error, 'map-invalid'),
  );
});

test('any text is a map or refused as none', () => {
  const piece = fc.constantFrom(
    'version: 1\n',
    'tables:\n',
    '  a:\n',
    '    of: {p: b}\n',
    '    columns: ',
    '{',
    '}',
    '[',
    ']',
    '"',
    '\t',
    ':',
    '- ',
    '&x ',
    '*x',
    '!!map ',
    '? ',
    '|\n',
    '\n',
    'null',
    '<<: ',
    '%YAML 1.1\n',
    '---\n',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      try {
        assert.ok(readMapText(pieces.join(''), 'm').map.tables.size >= 0);
      } catch (error) {
        assert.ok(isSafekeepError(error, 'map-invalid'), String(error));
        for (const line of error.message.split('\n').slice(1)) assert.match(line, /^ {2}m:\d+:\d+: |^ {2}and \d+ more/);
      }
    }),
    { numRuns: 1000 },
  );
});
