import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { applyEdits, formatTableName, readMap, type MapEdit, type MapFile } from '@safekeep/core';
import { readMapText } from './document.ts';
import { editMap, newMapText } from './edit.ts';

const practice = `# Reviewed by Ada
version: 1
tenant: fixed                     # for now
controller: { name: Riverside Dental, contact: privacy@example.org }
purposes:
  treatment: { use: essential.service, basis: contract, retention: 10y }
subjects:
  patient: { table: public.patients, key: id, find_by: [email,  phone], label: full_name }
tables:
  public.patients:
    purposes: [treatment]

    columns:
      id:        { category: user.unique_id }   # the key
      'ssn':     { category: user.government_id, protect: client }
      created_at: { category: none, note: looked at, not personal }

  # what they come for
  public.bookings:
    of: { patient: patient_id }                 # owns: the row dies with the person
`;

function edited(text: string, ...edits: readonly MapEdit[]): string {
  return editMap(readMapText(text, 'datamap.yaml'), edits);
}

test('what is new is put in beside its neighbours, and what people wrote stays to the byte', () => {
  const text = edited(
    practice,
    { kind: 'set-column', table: 'public.patients', column: 'ssn', values: { protect: 'database', erase: 'shred' } },
    { kind: 'set-column', table: 'public.patients', column: 'Full name', values: { category: 'user.name' } },
    { kind: 'set-column', table: 'public.bookings', column: 'id', values: { category: 'user.unique_id' } },
    { kind: 'set-table', table: 'public."Visit log"', values: { of: { patient: ['a', 'b'] } } },
    { kind: 'set-subject', name: 'staff', subject: { table: 'public.staff', key: ['org', 'id'] } },
  );
  const expected = practice
    .replace('protect: client }', 'protect: database, erase: shred }')
    .replace('not personal }\n', 'not personal }\n      Full name: { category: user.name }\n')
    .replace('label: full_name }\n', 'label: full_name }\n  staff: { table: public.staff, key: [ org, id ] }\n')
    .replace(
      'with the person\n',
      'with the person\n    columns:\n      id: { category: user.unique_id }\n  public."Visit log":\n    of: { patient: [ a, b ] }\n',
    );
  assert.equal(text, expected);
});

test('nothing to change changes nothing', () => {
  assert.equal(edited(practice), practice);
  assert.equal(
    edited(practice, { kind: 'set-column', table: 'public.patients', column: 'ssn', values: { protect: 'client' } }),
    practice,
  );
});

const layouts: readonly (readonly [what: string, text: string])[] = [
  ['without a newline at the end', practice.trimEnd()],
  ['with the line ends of Windows', practice.replaceAll('\n', '\r\n')],
  ['with one column only', 'version: 1\ntables: { public.patients: { columns: { id: { category: user.unique_id } } } }'],
  ['with keys and no values', 'version: 1\ntables:\n  public.patients:\n    columns:\n  public.bookings:\n'],
  ['with a key and a comment', 'version: 1\ntables: # all of them\n  patients: # ours\n    columns: # none yet\n'],
  ['with empty braces', 'version: 1\nsubjects: {}\ntables: {}\n'],
  ['with nothing but a version', 'version: 1'],
  [
    'with a deep indent and a block of text',
    'version: 1\ntables:\n    patients:\n        note: |\n            two\n            lines\n        columns:\n            id:\n                category: user.unique_id\n',
  ],
  ['with an anchor', 'version: 1\ntables:\n  patients: { columns: { id: &id { category: user.unique_id }, ssn: *id } }\n'],
  [
    'with a comment at the end',
    'version: 1\ntables:\n  patients:\n    columns:\n      id: { category: user.unique_id }\n# the end\n',
  ],
];
for (const [what, text] of layouts) {
  test(`a map ${what} takes any edit and means the edit of what it meant`, () => {
    const edits: readonly MapEdit[] = [
      {
        kind: 'set-column',
        table: 'public.patients',
        column: 'ssn',
        values: { category: 'user.government_id', erase: { replace: 'x, "y": #z' } },
      },
      { kind: 'set-column', table: 'public.patients', column: 'id', values: { category: 'user.unique_id', note: 'a: b' } },
      { kind: 'set-table', table: 'public.bookings', values: { of: { patient: '[a, b] -> c.d' } } },
      { kind: 'set-subject', name: 'patient', subject: { table: 'patients', key: 'id' } },
    ];
    const before = readMapText(text, 'datamap.yaml');
    const after = readMapText(editMap(before, edits), 'datamap.yaml');
    assert.deepEqual(after.written, applyEdits(before.written, edits));
    assert.deepEqual(comments(after.text), comments(text));
  });
}

function comments(text: string): readonly string[] {
  return text
    .split(/\r?\n/)
    .flatMap((line) => /(?:^|\s)(#.*)$/.exec(line.replaceAll('"x, \\"y\\": #z"', '').replaceAll(`'x, "y": #z'`, ''))?.[1] ?? []);
}

const word = fc.oneof(
  fc.constantFrom('id', 'null', 'true', '1', '~', '- a', 'a: b', '#x', '{', '"q"', "it's", 'a.b', 'Ü ß'),
  fc.string({ minLength: 1, maxLength: 8 }),
);
const tableName = fc.tuple(fc.constantFrom('public', 'clinic'), word).map(([schema, table]) => formatTableName({ schema, table }));
const column = fc.record(
  {
    category: fc.constantFrom('user.name', 'none'),
    note: word,
    erase: fc.oneof(
      fc.constantFrom('null' as const, 'delete' as const),
      fc.record({ replace: fc.oneof(word, fc.integer(), fc.constant(null)) }, { noNullPrototype: true }),
    ),
  },
  { requiredKeys: ['category'], noNullPrototype: true },
);
const file: fc.Arbitrary<MapFile> = fc
  .dictionary(
    tableName,
    fc.record(
      { note: word, columns: fc.dictionary(word, column, { maxKeys: 4, noNullPrototype: true }) },
      { requiredKeys: [], noNullPrototype: true },
    ),
    { maxKeys: 4, noNullPrototype: true },
  )
  .map((tables) => ({ version: 1 as const, tables }));
const edit: fc.Arbitrary<MapEdit> = fc.oneof(
  fc.record(
    { kind: fc.constant('set-column' as const), table: tableName, column: word, values: column },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      kind: fc.constant('set-table' as const),
      table: tableName,
      values: fc.record({ note: word, region: word }, { noNullPrototype: true }),
    },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      kind: fc.constant('set-subject' as const),
      name: word,
      subject: fc.record({ table: tableName, key: word }, { noNullPrototype: true }),
    },
    { noNullPrototype: true },
  ),
);

test('reading what was edited is editing what was read, in any layout, and every comment is kept', () => {
  fc.assert(
    fc.property(
      file,
      fc.array(edit, { maxLength: 6 }),
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      (made, edits, indent, flow) => {
        fc.pre('map' in readMap(made) && 'map' in readMap(applyEdits(made, edits)));
        const yaml = stringify(made, { indent, ...(flow ? { collectionStyle: 'flow' as const } : {}) });
        const text = `# first\n${yaml.trimEnd()} # last\n# after\n`;
        const before = readMapText(text, 'datamap.yaml');
        assert.deepEqual(before.written, made);
        const result = editMap(before, edits);
        assert.deepEqual(readMapText(result, 'datamap.yaml').written, applyEdits(made, edits));
        for (const comment of ['# first', '# last', '# after']) assert.equal(result.split(comment).length, 2, result);
      },
    ),
    { numRuns: 300 },
  );
});

test('a new map is written for people and for editors', () => {
  const text = newMapText({
    version: 1,
    subjects: { patient: { table: 'patients', key: 'id' } },
    tables: { patients: { columns: { id: { category: 'user.unique_id' } } } },
  });
  assert.equal(
    text,
    `# yaml-language-server: $schema=./datamap.schema.json
# Whose data is where, why, and what happens to it. Reviewed like code; held against the database by safekeep map check.
version: 1
subjects:
  patient: { table: patients, key: id }
tables:
  patients:
    columns:
      id: { category: user.unique_id }
`,
  );
});
