import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSafekeepError } from '@safekeep/core';
import { formatKey, parseKey } from './key.ts';
import { formatTarget, parseTarget } from './target.ts';

test('a key that was written down is read as the same key', () => {
  const part = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(',', '\\', 'a', ':') }));
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (key) => {
      fc.pre(key.length > 1 || key[0] !== '');
      assert.deepEqual(parseKey(formatKey(key)), key);
    }),
  );
});

test('two different keys are never written alike', () => {
  assert.notEqual(formatKey(['a,b']), formatKey(['a', 'b']));
  assert.notEqual(formatKey(['a\\', 'b']), formatKey(['a\\,b']));
});

test('a target is a subject of the map, else a row of a table', () => {
  assert.deepEqual(parseTarget('patient:42', undefined, ['patient']), {
    kind: 'subject',
    person: { type: 'patient', key: ['42'] },
  });
  assert.deepEqual(parseTarget('patient:42', undefined, []), { kind: 'row', table: 'public.patient', key: ['42'] });
  assert.deepEqual(parseTarget('public.patient:42', undefined, ['patient']), { kind: 'row', table: 'public.patient', key: ['42'] });
  assert.deepEqual(parseTarget('invoices:1,a\\,b,c:d', undefined, []), {
    kind: 'row',
    table: 'public.invoices',
    key: ['1', 'a,b', 'c:d'],
  });
  assert.deepEqual(parseTarget('"my.s"."a:""b":x', undefined, []), { kind: 'row', table: '"my.s"."a:""b"', key: ['x'] });
});

test('a table with a condition is a hold by query, shown by its full name', () => {
  const target = parseTarget('invoices', "due < '2026-01-01'", []);
  assert.deepEqual(target, { kind: 'query', table: 'public.invoices', condition: { column: 'due', is: '<', value: '2026-01-01' } });
  assert.equal(formatTarget(target), 'public.invoices');
});

for (const [text, query] of [
  ['', undefined],
  ['invoices', undefined],
  ['invoices:', undefined],
  [':42', undefined],
  ['invoices:a\\b', undefined],
  ['invoices:a\\', undefined],
  ['invoices:1', 'a = 1'],
  ['Invoices:1', undefined],
  ['a b:1', undefined],
  ['public.invoices; drop table x:1', undefined],
  [`x:${'1'.repeat(2000)}`, undefined],
] as const) {
  test(`what is no target is refused: ${text.slice(0, 40)}`, () => {
    assert.throws(
      () => parseTarget(text, query, []),
      (error) => isSafekeepError(error, 'hold-target-invalid') || isSafekeepError(error, 'name-invalid'),
    );
  });
}
