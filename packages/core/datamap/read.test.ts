import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import Value from 'typebox/value';
import { applyEdits } from './edit.ts';
import { MapFile } from './file-schema.ts';
import { mapOf } from './testing/clinic.ts';
import { readMap, type MapFault } from './read.ts';
import { shapeFaults } from './shape.ts';
import { writeMap } from './write.ts';

function faults(value: unknown): readonly MapFault[] {
  const reading = readMap(value);
  assert.ok('faults' in reading);
  return reading.faults;
}

test('short forms are written out and defaults filled in', () => {
  const map = mapOf({
    audit: { reads: true },
    subjects: { patient: { table: 'patients', key: ['org', '"Id"'], find_by: ['email'], label: 'Full name' } },
    tables: {
      'patients': {
        audit: { actor: 'require' },
        columns: { '"Full name"': { category: 'user.name', erase: null }, 'made': { category: 'none', note: 'when it was made' } },
      },
      'clinic."Visit log"': {
        of: { patient: ['a', { path: 'b -> patients.id', meaning: 'about' }] },
        on_erasure: { keep: 'legal_claims', until: 'seen at + 6mo', replace: { note: null } },
        compliance: 'columns',
        hide_deleted: true,
        isolate: true,
      },
    },
  });
  assert.deepEqual([...map.tables.keys()], ['public.patients', 'clinic."Visit log"']);
  const patients = map.tables.get('public.patients');
  assert.deepEqual(patients?.audit, { writes: true, reads: true, actor: 'require', strictReads: false });
  assert.deepEqual(patients?.columns.get('Full name')?.erase, { kind: 'null' });
  assert.deepEqual(patients?.columns.get('made')?.categories, []);
  assert.deepEqual(map.subjects.get('patient')?.key, ['org', 'Id']);
  const visits = map.tables.get('clinic."Visit log"');
  assert.deepEqual(
    visits?.of.map(({ meaning }) => meaning),
    [null, 'about'],
  );
  assert.deepEqual(visits?.onErasure?.until, { column: 'seen at', plus: { count: 6, unit: 'mo' } });
  assert.deepEqual(map.tenant, { kind: 'fixed' });
  assert.deepEqual([visits?.compliance, visits?.hideDeleted, visits?.isolate], ['columns', true, true]);
  assert.deepEqual([patients?.compliance, patients?.hideDeleted, patients?.isolate], [null, false, false]);
});

const refused: readonly (readonly [
  what: string,
  value: unknown,
  code: string,
  pointer: readonly (string | number)[],
  remedy: RegExp,
])[] = [
  ['an unknown key', { version: 1, tabels: {} }, 'unknown-key', ['tabels'], /Did you mean tables\?/],
  [
    'an unknown key of a column',
    { version: 1, tables: { a: { columns: { b: { category: 'user', protct: 'none' } } } } },
    'unknown-key',
    ['tables', 'a', 'columns', 'b', 'protct'],
    /protect/,
  ],
  ['a missing version', {}, 'missing-key', [], /version/],
  [
    'a word that is none of the allowed',
    { version: 1, purposes: { a: { use: 'x', basis: 'consnt' } } },
    'wrong-value',
    ['purposes', 'a', 'basis'],
    /Did you mean consent\?/,
  ],
  [
    'a period of minutes or months',
    { version: 1, purposes: { a: { use: 'x', retention: '6m' } } },
    'wrong-value',
    ['purposes', 'a', 'retention'],
    /./,
  ],
  [
    'a table with capitals outside of quotes',
    { version: 1, tables: { Patients: {} } },
    'name-invalid',
    ['tables', 'Patients'],
    /double quotes/,
  ],
  [
    'one table under two names',
    { version: 1, tables: { 'a': {}, 'public.a': {} } },
    'duplicate-table',
    ['tables', 'public.a'],
    /Join/,
  ],
  [
    'one column under two names',
    { version: 1, tables: { a: { columns: { 'b': { category: 'user' }, '"b"': { category: 'user' } } } } },
    'duplicate-column',
    ['tables', 'a', 'columns', '"b"'],
    /Join/,
  ],
  [
    'none beside a category',
    { version: 1, tables: { a: { columns: { b: { category: ['none', 'user'] } } } } },
    'wrong-value',
    ['tables', 'a', 'columns', 'b', 'category'],
    /alone/,
  ],
  [
    'a broken path in a list',
    { version: 1, tables: { a: { of: { p: ['b', 'c ->'] } } } },
    'path-invalid',
    ['tables', 'a', 'of', 'p', 1],
    /->/,
  ],
  [
    'an until without a period',
    { version: 1, tables: { a: { on_erasure: { keep: 'contract', until: 'issued_at' } } } },
    'wrong-value',
    ['tables', 'a', 'on_erasure', 'until'],
    /issued_at \+ 10y/,
  ],
  [
    'hiding deleted rows of a table that keeps no deleted_at',
    { version: 1, tables: { a: { compliance: 'side-table', hide_deleted: true } } },
    'wrong-value',
    ['tables', 'a', 'hide_deleted'],
    /compliance: columns/,
  ],
  ['a list in place of a mapping', [], 'wrong-value', [], /./],
];
for (const [what, value, code, pointer, remedy] of refused) {
  test(`${what} is refused with its place and a mend`, () => {
    const [fault, ...more] = faults(value);
    assert.deepEqual(more, []);
    assert.equal(fault?.code, code);
    assert.deepEqual(fault?.pointer, pointer);
    assert.match(fault?.remedy ?? '', remedy);
  });
}

test('all faults of a file are told at once', () => {
  assert.equal(faults({ version: 1, tables: { A: { of: { p: '' } }, B: { of: { p: 'x y' } } } }).length, 1);
  assert.equal(faults({ version: 1, tables: { A: { of: { p: 'a.b' } }, B: { of: { p: 'x y' } } } }).length, 4);
});

/** Values near the shape of a map: right keys, often wrong values. */
const word = fc.constantFrom(
  'version',
  'tables',
  'columns',
  'category',
  'of',
  'erase',
  'protect',
  'client',
  'none',
  'user.name',
  'patient',
  'public.a',
  'b',
  '',
  '10y',
  '__proto__',
  'constructor',
);
const near = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    word,
    fc.constant(1),
    fc.constant(null),
    fc.boolean(),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(word, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;

test('our own walk over the schema finds a fault exactly where the validator does', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        near,
        near.map((tables) => ({ version: 1, tables: { a: tables } })),
      ),
      (value) => assert.equal(shapeFaults(MapFile, value).length === 0, Value.Check(MapFile, value)),
    ),
    { numRuns: 2000 },
  );
});

/** Maps of every form. */
const columnName = fc.oneof(fc.constantFrom('id', 'Full name', '"x"', 'a.b', 'ü'), fc.string({ minLength: 1, maxLength: 8 }));
const tableKey = fc.constantFrom('patients', 'clinic.visits', 'public."Patient files"', '"a.b"."c""d"', 'x');
const columnText = fc.record(
  {
    category: fc.oneof(fc.constantFrom('user.name', 'none', 'made.up'), fc.constant<string[]>(['user.name', 'user.unique_id'])),
    protect: fc.constantFrom('none' as const, 'client' as const),
    search: fc.subarray(['exact', 'last4', 'prefix'] as const).map((list) => [...list]),
    search_with: fc.subarray(['born', 'town']),
    erase: fc.oneof(
      fc.constantFrom('delete' as const, 'null' as const, null, 'shred' as const),
      fc.record({ replace: fc.oneof(fc.constant(null), fc.string(), fc.integer()) }, { noNullPrototype: true }),
    ),
    free_text: fc.boolean(),
    of: fc.oneof(fc.constantFrom('patient_id', '[a, b] -> c.d'), fc.constant<string[]>(['patient_id', 'a'])),
    note: fc.string({ minLength: 1 }),
  },
  { requiredKeys: ['category'], noNullPrototype: true },
);
const edge = fc.oneof(
  fc.constantFrom('patient_id', 'a -> b.c', 'id <- x."Y z"'),
  fc.record(
    { path: fc.constant('p -> q.[r, s]'), meaning: fc.constantFrom('about' as const, 'stop' as const) },
    { noNullPrototype: true },
  ),
);
const tableText = fc.record(
  {
    of: fc.oneof(
      fc.constant('none' as const),
      fc.dictionary(fc.constantFrom('patient', 'staff'), fc.oneof(edge, fc.array(edge, { minLength: 1, maxLength: 3 })), {
        noNullPrototype: true,
      }),
    ),
    purposes: fc.constant<string[]>(['care']),
    tenant: fc.oneof(fc.constantFrom('fixed' as const, 'shared' as const), fc.constant({ path: 'a -> b.c' })),
    compliance: fc.constantFrom('side-table' as const, 'columns' as const),
    hide_deleted: fc.boolean(),
    isolate: fc.boolean(),
    triggers: fc.constant({ 'Count it': { writes_to: ['"Counts"', 'a.b'] as string[], note: 'numbers' } }),
    retention: fc.constant({ after: 'at', keep: '3y', then: 'delete' as const }),
    columns: fc.dictionary(columnName, columnText, { maxKeys: 4, noNullPrototype: true }),
  },
  { requiredKeys: [], noNullPrototype: true },
);
const mapFile: fc.Arbitrary<MapFile> = fc.record(
  {
    version: fc.constant(1 as const),
    region: fc.constant('eu'),
    tables: fc.dictionary(tableKey, tableText, { maxKeys: 4, noNullPrototype: true }),
    subjects: fc.constant({ patient: { table: 'patients', key: ['a', '"B"'] as string[] } }),
  },
  { requiredKeys: ['version'], noNullPrototype: true },
);

test('a map that is written out in full is read back with the same meaning, and written out alike', () => {
  fc.assert(
    fc.property(mapFile, (file) => {
      const reading = readMap(file);
      fc.pre('map' in reading);
      const again = readMap(writeMap(reading.map));
      assert.ok('map' in again);
      assert.deepEqual(writeMap(again.map), writeMap(reading.map));
      assert.deepEqual(again.map, reading.map);
    }),
  );
});

test('an edit sets what it names and leaves the rest as it was', () => {
  const file: MapFile = { version: 1, tables: { a: { note: 'mine', columns: { '"X"': { category: 'user', note: 'mine' } } } } };
  const edited = applyEdits(file, [
    { kind: 'set-column', table: 'public.a', column: 'X', values: { protect: 'client' } },
    { kind: 'set-table', table: 'public.a', values: { region: 'eu' } },
    { kind: 'set-column', table: 'public."B"', column: '"', values: { category: 'none', note: 'new' } },
  ]);
  assert.deepEqual(edited, {
    version: 1,
    tables: {
      'a': { note: 'mine', region: 'eu', columns: { '"X"': { category: 'user', note: 'mine', protect: 'client' } } },
      'public."B"': { columns: { '"': { category: 'none', note: 'new' } } },
    },
  });
});
