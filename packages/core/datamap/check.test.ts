import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkMap, checkMapAlone } from './check.ts';
import { COMPLIANCE_FIELDS } from './compliance.ts';
import { erasureValues } from './check/erase.ts';
import { severalPeople } from './check/people.ts';
import type { ColumnText, MapFile, TableText } from './file-schema.ts';
import { column, mapOf, reference, schemaOf, table } from './testing/clinic.ts';
import type { MapProblem, ProblemCode } from './problems.ts';
import { indexSchema, type ColumnFacts, type TableFacts } from './schema-facts.ts';

const CARE = { use: 'essential.service', basis: 'contract', retention: '10y', condition: 'health_care' } as const;

/** A clinic without a fault, and what a test changes in it. */
const patients = table('patients', [
  'id',
  { name: 'email', baseType: 'text' },
  { name: 'seen_at', baseType: 'timestamp(3) with time zone' },
]);
const bookings = table('bookings', ['id', 'patient_id'], { foreignKeys: [reference('patient_id -> patients.id')] });
const file: MapFile = {
  version: 1,
  purposes: { care: CARE },
  subjects: { patient: { table: 'patients', key: 'id', find_by: ['email'], label: 'email' } },
  tables: {
    patients: {
      purposes: ['care'],
      columns: {
        id: { category: 'user.unique_id' },
        email: { category: 'user.contact.email' },
        seen_at: { category: 'none', note: 'time of a visit' },
      },
    },
    bookings: {
      of: { patient: 'patient_id' },
      columns: { id: { category: 'user.unique_id' }, patient_id: { category: 'user.unique_id' } },
    },
  },
};

function withTable(name: string, change: Partial<TableText>): MapFile {
  return { ...file, tables: { ...file.tables, [name]: { ...file.tables?.[name], ...change } } };
}

function withColumn(name: string, change: Partial<ColumnText>): MapFile {
  const columns = file.tables?.['patients']?.columns ?? {};
  // The fixture has these columns, or the test gives the category of a new one.
  return withTable('patients', { columns: { ...columns, [name]: { ...columns[name], ...change } as ColumnText } });
}

function problemsOf(map: MapFile, ...tables: readonly TableFacts[]): readonly MapProblem[] {
  return checkMap(mapOf(map), { tables: tables.length === 0 ? [patients, bookings] : tables });
}

function codes(problems: readonly MapProblem[]): readonly ProblemCode[] {
  return problems.map(({ code }) => code);
}

/** The clinic with another form of one column of its patients. */
function withFacts(facts: Partial<ColumnFacts> & { readonly name: string }, more: Partial<TableFacts> = {}): TableFacts {
  const rest = patients.columns.filter(({ name }) => name !== facts.name);
  return { ...patients, columns: [...rest, column(facts)], ...more };
}

test('a map that fits its database has no problem', () => {
  assert.deepEqual(problemsOf(file), []);
});

test('a column that was added by hand is unclassified, and one that was dropped has vanished', () => {
  const changed = { ...bookings, columns: [...bookings.columns.filter(({ name }) => name !== 'id'), column({ name: 'room' })] };
  const found = problemsOf(file, patients, changed);
  assert.deepEqual(
    found.map(({ code, table: at, column: name }) => [code, at, name]),
    [
      ['unclassified-column', 'public.bookings', 'room'],
      ['vanished-column', 'public.bookings', 'id'],
    ],
  );
});

test('what stands beside an encrypted column needs no entry, whatever holds plaintext under such a name does', () => {
  const beside = (baseType: string) => ({
    ...patients,
    columns: [
      ...patients.columns,
      column({ name: 'email_encrypted', baseType }),
      column({ name: 'email_exact_index', baseType: 'bigint' }),
    ],
  });
  const asked = withColumn('email', { protect: 'client', search: ['exact'] });
  assert.deepEqual(problemsOf(asked, beside('bytea'), bookings), []);
  const unclassified = (map: MapFile, tables: TableFacts) =>
    problemsOf(map, tables, bookings).map(({ code, column: name }) => [code, name]);
  assert.deepEqual(unclassified(asked, beside('text')), [['unclassified-column', 'email_encrypted']]);
  assert.deepEqual(unclassified(withColumn('email', { protect: 'client' }), beside('bytea')), [
    ['unclassified-column', 'email_exact_index'],
  ]);
  assert.equal(unclassified(file, beside('bytea')).length, 2, 'nobody asked for it');
  const together = {
    ...beside('bytea'),
    columns: [...patients.columns, column({ name: 'email_compound_index', baseType: 'bigint' })],
  };
  assert.deepEqual(unclassified(asked, together), [['unclassified-column', 'email_compound_index']]);
  assert.deepEqual(unclassified(withColumn('email', { protect: 'client', search_with: ['x'] }), together), [
    ['search-unprotected', 'email'],
  ]);
});

test('compliance fields that the map asked for as columns need no entry; without that, or incomplete, they are unclassified', () => {
  const asked = withTable('bookings', { compliance: 'columns' });
  const fields = COMPLIANCE_FIELDS.map((name) => column({ name, baseType: 'text' }));
  const before = bookings;
  const after = { ...bookings, columns: [...bookings.columns, ...fields] };
  assert.deepEqual(problemsOf(asked, patients, before), []);
  assert.deepEqual(problemsOf(asked, patients, after), []);
  const unasked = [file, withTable('bookings', { compliance: 'side-table' })];
  for (const map of unasked)
    assert.deepEqual(
      problemsOf(map, patients, after).map(({ code, column: name }) => [code, name]),
      COMPLIANCE_FIELDS.map((name) => ['unclassified-column', name]),
    );
  const own = { ...bookings, columns: [...bookings.columns, column({ name: 'version' })] };
  assert.deepEqual(
    problemsOf(asked, patients, own).map(({ code, column: name }) => [code, name]),
    [['unclassified-column', 'version']],
  );
});

test('a renamed column and a renamed table are told as such', () => {
  const renamed = {
    ...patients,
    columns: patients.columns.map((each) => (each.name === 'email' ? { ...each, name: 'email_address' } : each)),
  };
  const remedies = problemsOf(file, renamed, bookings)
    .filter(({ column: name }) => name !== null && name !== 'patient_id')
    .map(({ code, remedy }) => `${code}: ${remedy}`);
  assert.ok(remedies.includes('vanished-column: Write email_address if it was renamed.'), remedies.join('\n'));
  assert.ok(remedies.includes('unclassified-column: Rename email in the map if it is the same column.'));
  const [gone] = problemsOf(file, patients, { ...bookings, name: 'appointments' }).filter(({ code }) => code === 'vanished-table');
  assert.match(gone?.remedy ?? '', /public\.appointments/);
});

test('a trigger that the map lets write outside of it must be there, and so must the table that it writes to', () => {
  const triggers = { counts: { writes_to: ['bookings', 'public.gone'], note: 'numbers only' } };
  const live = { ...patients, triggers: [{ name: 'count' }] };
  const problems = problemsOf(withTable('patients', { triggers }), live, bookings);
  assert.deepEqual(codes(problems), ['vanished-trigger', 'vanished-trigger']);
  assert.match(problems[0]?.remedy ?? '', /Write count/);
  const right = { count: { writes_to: 'bookings', note: 'numbers only' } };
  assert.deepEqual(problemsOf(withTable('patients', { triggers: right }), live, bookings), []);
});

test('views need no entry and may have none; partitions belong to their parent; extensions and our own schemas to nobody', () => {
  const view = table('everybody', ['id'], { kind: 'view', primaryKey: null });
  const part = table('bookings_2026', ['id'], { partition: { parent: { schema: 'public', table: 'bookings' } } });
  const others = [
    table('spatial', ['id'], { extension: 'postgis' }),
    table('safekeep.tenants', ['id']),
    table('safekeep_jobs.job', ['id']),
  ];
  assert.deepEqual(problemsOf(file, patients, bookings, view, part, ...others), []);
  const named = { ...file, tables: { ...file.tables, everybody: {}, bookings_2026: {} } };
  assert.deepEqual(codes(problemsOf(named, patients, bookings, view, part)), ['view-in-map', 'partition-in-map']);
});

test('materialized views and foreign tables hold rows, and must be classified', () => {
  const copies = [
    table('copy', ['id'], { kind: 'materialized-view', primaryKey: null }),
    table('remote', ['id'], { kind: 'foreign-table', primaryKey: null }),
  ];
  assert.deepEqual(codes(problemsOf(file, patients, bookings, ...copies)), ['unclassified-column', 'unclassified-column']);
});

test('a table that may not be read is a problem and not passed over', () => {
  const secret = {
    ...bookings,
    privileges: { select: false },
    columns: bookings.columns.map((each) => ({ ...each, privileges: { select: false } })),
  };
  assert.deepEqual(codes(problemsOf(file, patients, secret)), ['table-unreadable']);
});

test('personal columns of a table whose paths lead to authors only must be said to be somebody’s', () => {
  const posts = table('posts', ['id', 'author_id', 'author_name'], {
    foreignKeys: [reference('author_id -> patients.id', { onDelete: 'set-null' })],
  });
  const columns = {
    id: { category: 'none', note: 'a number' },
    author_id: { category: 'user.unique_id' },
    author_name: { category: 'user.name' },
  } as const;
  const withPosts = (name: object): MapFile => ({
    ...file,
    tables: {
      ...file.tables,
      posts: {
        of: { patient: 'author_id' },
        purposes: ['care'],
        columns: { ...columns, author_name: { ...columns.author_name, ...name } },
      },
    },
  });
  const [problem, ...more] = problemsOf(withPosts({}), patients, bookings, posts);
  assert.deepEqual([problem?.code, more], ['authors-only', []]);
  assert.match(problem?.message ?? '', /about whom author_name are/);
  assert.deepEqual(problemsOf(withPosts({ of: 'author_id' }), patients, bookings, posts), []);
  assert.deepEqual(problemsOf(withPosts({ erase: 'null' }), patients, bookings, posts), []);
});

test('a table about people must say whose it is, whether by its columns or by what it refers to', () => {
  const notes = table('notes', ['id', 'booking_id'], { foreignKeys: [reference('booking_id -> bookings.id')] });
  const silent = { columns: { id: { category: 'none', note: 'a number' }, booking_id: { category: 'none', note: 'a number' } } };
  const [problem, ...more] = problemsOf({ ...file, tables: { ...file.tables, notes: silent } }, patients, bookings, notes);
  assert.deepEqual(more, []);
  assert.equal(problem?.code, 'missing-subject');
  assert.match(problem?.remedy ?? '', /of: \{ patient: booking_id -> public\.bookings\.patient_id \}/);
  const lonely = {
    columns: { id: { category: 'user.device.ip_address' } },
    retention: { after: 'id', keep: '1y', then: 'delete' as const },
  };
  const logs = table('logs', [{ name: 'id', baseType: 'date' }]);
  assert.deepEqual(codes(problemsOf({ ...file, tables: { ...file.tables, logs: lonely } }, patients, bookings, logs)), [
    'missing-subject',
  ]);
  assert.deepEqual(
    codes(problemsOf({ ...file, tables: { ...file.tables, logs: { ...lonely, of: 'none' } } }, patients, bookings, logs)),
    ['missing-subject'],
  );
  assert.deepEqual(
    problemsOf(
      { ...file, tables: { ...file.tables, logs: { ...lonely, of: 'none', note: 'visitors without an account' } } },
      patients,
      bookings,
      logs,
    ),
    [],
  );
});

test('equally short ways are told with all of them, to be counted', () => {
  const messages = table('messages', ['id', 'sender_id', 'recipient_id'], {
    foreignKeys: [reference('sender_id -> patients.id'), reference('recipient_id -> patients.id')],
  });
  const columns = {
    id: { category: 'user.unique_id' },
    sender_id: { category: 'user.unique_id' },
    recipient_id: { category: 'user.unique_id' },
  };
  const found = problemsOf(
    { ...file, tables: { ...file.tables, messages: { purposes: ['care'], columns } } },
    patients,
    bookings,
    messages,
  );
  assert.deepEqual(codes(found), ['ambiguous-path']);
  assert.deepEqual(
    found[0]?.candidates?.map(({ hops }) => hops[0]?.columns),
    [['sender_id'], ['recipient_id']],
  );
  assert.deepEqual(
    problemsOf(
      { ...file, tables: { ...file.tables, messages: { of: { patient: ['sender_id', 'recipient_id'] }, columns } } },
      patients,
      bookings,
      messages,
    ),
    [],
  );
});

const mistakes: readonly (readonly [what: string, map: MapFile, code: ProblemCode, message: RegExp])[] = [
  ['a path over a column that is not there', withTable('bookings', { of: { patient: 'person_id' } }), 'broken-path', /person_id/],
  ['a subject that is not defined', withTable('bookings', { of: { patent: 'patient_id' } }), 'unknown-subject', /patent/],
  [
    'a find_by that is no column',
    { ...file, subjects: { patient: { table: 'patients', key: 'id', find_by: ['mail'] } } },
    'subject-column',
    /mail/,
  ],
  [
    'a key that is not unique',
    { ...file, subjects: { patient: { table: 'patients', key: 'email' } } },
    'subject-column',
    /not name one row/,
  ],
  ['a purpose that is not defined', withTable('patients', { purposes: ['care', 'crae'] }), 'unknown-purpose', /crae/],
  [
    'a purpose without a basis',
    { ...file, purposes: { care: { use: 'essential.service', retention: '1y' } } },
    'purpose-without-basis',
    /care/,
  ],
  [
    'a use that fideslang does not have',
    { ...file, purposes: { care: { ...CARE, use: 'essential.servce' } } },
    'unknown-use',
    /servce/,
  ],
  ['a category that is none', withColumn('email', { category: 'user.contact.emial' }), 'unknown-category', /emial/],
  [
    'a column that is not personal and nobody says why',
    withColumn('seen_at', { category: 'none', note: ' ' }),
    'none-without-note',
    /seen_at/,
  ],
  ['search on what is not encrypted', withColumn('email', { search: ['exact'] }), 'search-unprotected', /email/],
  [
    'a search together with what is not encrypted',
    withColumn('email', { protect: 'client', search_with: ['seen_at'] }),
    'search-unprotected',
    /seen_at/,
  ],
  [
    'a search together with itself',
    withColumn('email', { protect: 'client', search_with: ['email'] }),
    'search-unprotected',
    /itself/,
  ],
  ['a key to be destroyed where there is none', withColumn('email', { erase: 'shred' }), 'erase-refused', /no key/],
  [
    'a period from a column that holds no date',
    withTable('patients', { retention: { after: 'email', keep: '1y', then: 'delete' } }),
    'retention-column',
    /no date/,
  ],
  [
    'a period from a column that is not there',
    withTable('bookings', { on_erasure: { keep: 'contract', until: 'patient_at + 1y' } }),
    'retention-column',
    /patient_at/,
  ],
  ["a column that is somebody's by a path that is none", withColumn('email', { of: 'patient_id' }), 'column-path', /patient_id/],
  [
    "a column that is two people's by a path that is none",
    withColumn('email', { of: ['patient_id'] }),
    'column-path',
    /patient_id/,
  ],
  [
    'health data for a purpose without a condition',
    {
      ...withColumn('email', { category: 'user.health_and_medical.diagnosis' }),
      purposes: { care: { use: 'essential.service', basis: 'contract', retention: '1y' } },
    },
    'special-without-condition',
    /email/,
  ],
  [
    'convictions for a purpose that cites no law',
    withColumn('email', { category: 'user.criminal_history' }),
    'criminal-without-law',
    /email/,
  ],
  [
    'personal data without a period',
    { ...file, purposes: { care: { use: 'essential.service', basis: 'contract', condition: 'health_care' } } },
    'missing-retention',
    /public\./,
  ],
  ['a table of people without a tenant', { ...file, tenant: { column: 'org_id' } }, 'tenant-missing', /org_id/],
  [
    'people whom all tenants share',
    withTable('patients', { tenant: 'shared' }),
    'tenant-missing',
    /cannot be shared by all tenants/,
  ],
  [
    'values of a kept row that should go with it',
    withTable('patients', {
      on_erasure: { keep: 'legal_obligation' },
      columns: { ...file.tables?.['patients']?.columns, email: { category: 'user.contact.email', erase: 'delete' } },
    }),
    'erase-refused',
    /is kept/,
  ],
  [
    'a replacement in a column that is not there',
    withTable('bookings', { on_erasure: { keep: 'contract', replace: { memo: null } } }),
    'erase-refused',
    /memo/,
  ],
];
for (const [what, map, code, message] of mistakes) {
  test(`${what} is found, and nothing beside it`, () => {
    const found = problemsOf(map);
    assert.deepEqual([...new Set(codes(found))], [code]);
    assert.match(found[0]?.message ?? '', message);
    assert.ok((found[0]?.remedy ?? '').length > 0);
  });
}

const refusals: readonly (readonly [what: string, facts: TableFacts, change: Partial<ColumnText>, message: RegExp | null])[] = [
  [
    'null in a column that is NOT NULL',
    withFacts({ name: 'email', baseType: 'text', notNull: true }),
    { erase: 'null' },
    /NOT NULL/,
  ],
  [
    'null in a domain that is NOT NULL',
    withFacts({ name: 'email', baseType: 'text', domain: { name: 'public.mail', notNull: true, checks: [] } }),
    { erase: null },
    /public\.mail/,
  ],
  [
    'null where one row only may be null',
    withFacts({ name: 'email', baseType: 'text' }, { uniques: [{ name: 'u', columns: ['email'], nullsNotDistinct: true }] }),
    { erase: 'null' },
    /NULLS NOT DISTINCT/,
  ],
  [
    'null in a unique column',
    withFacts({ name: 'email', baseType: 'text' }, { uniques: [{ name: 'u', columns: ['email'], nullsNotDistinct: false }] }),
    { erase: 'null' },
    null,
  ],
  [
    'the same value for everybody in a unique column',
    withFacts({ name: 'email', baseType: 'text' }, { uniques: [{ name: 'u', columns: ['email'], nullsNotDistinct: false }] }),
    { erase: { replace: 'gone' } },
    /unique/,
  ],
  [
    'a value longer than the column',
    withFacts({ name: 'email', baseType: 'character varying(5)' }),
    { erase: { replace: 'erased' } },
    /longer than 5/,
  ],
  [
    'a value that is no label of the enum',
    withFacts({ name: 'email', baseType: 'public.mood', enumLabels: ['sad', 'ok'] }),
    { erase: { replace: 'gone' } },
    /sad, ok/,
  ],
  ['a hash in a short column', withFacts({ name: 'email', baseType: 'character(8)' }), { erase: 'hash' }, /at least 16/],
  ['a hash in a number', withFacts({ name: 'email', baseType: 'integer' }), { erase: 'hash' }, /a hash is text/],
  [
    'anything in a generated column',
    withFacts({ name: 'email', baseType: 'text', generated: { kind: 'stored', expression: 'x' } }),
    { erase: 'null' },
    /generated/,
  ],
  [
    'anything in the primary key',
    withFacts({ name: 'email', baseType: 'text' }, { primaryKey: { name: 'p', columns: ['id', 'email'] } }),
    { erase: { replace: 'x' } },
    /primary key/,
  ],
  [
    'anything in a materialized view',
    withFacts({ name: 'email', baseType: 'text' }, { kind: 'materialized-view' }),
    { erase: 'null' },
    /refreshed/,
  ],
  ['a value that fits', withFacts({ name: 'email', baseType: 'character varying(6)' }), { erase: { replace: 'erased' } }, null],
];
for (const [what, facts, change, message] of refusals) {
  test(`${what}: the database would ${message === null ? 'take' : 'refuse'} it`, () => {
    const found = problemsOf(withColumn('email', change), facts, bookings).filter(({ code }) => code === 'erase-refused');
    assert.equal(found.length, message === null ? 0 : 1);
    if (message !== null) assert.match(found[0]?.message ?? '', message);
  });
}

const unfit: readonly (readonly [what: string, facts: TableFacts, message: RegExp | null])[] = [
  ['a text', withFacts({ name: 'email', baseType: 'character varying(80)' }), null],
  ['a domain over a text', withFacts({ name: 'email', type: 'public.mail', baseType: 'text' }), null],
  ['an array', withFacts({ name: 'email', baseType: 'text[]', isArray: true }), /no encrypted form/],
  ['a point', withFacts({ name: 'email', baseType: 'point' }), /no encrypted form/],
  [
    'a generated column',
    withFacts({ name: 'email', baseType: 'text', generated: { kind: 'virtual', expression: 'x' } }),
    /generated/,
  ],
  [
    'what another column is generated from',
    {
      ...withFacts({ name: 'email', baseType: 'text' }),
      columns: [...patients.columns, column({ name: 'short', generated: { kind: 'stored', expression: 'lower("email")' } })],
    },
    /short is generated from it/,
  ],
  [
    'a part of the primary key',
    withFacts({ name: 'email', baseType: 'text' }, { primaryKey: { name: 'p', columns: ['id', 'email'] } }),
    /primary key/,
  ],
  [
    'a foreign key',
    withFacts({ name: 'email', baseType: 'text' }, { foreignKeys: [reference('email -> bookings.id')] }),
    /refers to another/,
  ],
  [
    'a unique index',
    withFacts(
      { name: 'email', baseType: 'text' },
      {
        indexes: [
          { name: 'i', unique: true, predicate: null, nullsNotDistinct: false, keys: [{ column: 'email', expression: null }] },
        ],
      },
    ),
    /unique \(i\)/,
  ],
  [
    'the key of partitions',
    withFacts({ name: 'email', baseType: 'text' }, { kind: 'partitioned-table', partitionKey: 'LIST (email)' }),
    /partitioned by it/,
  ],
  ['a foreign table', withFacts({ name: 'email', baseType: 'text' }, { kind: 'foreign-table' }), /foreign table/],
];
for (const [what, facts, message] of unfit) {
  test(`${what} can ${message === null ? '' : 'not '}be encrypted`, () => {
    const found = problemsOf(withColumn('email', { protect: 'client' }), facts, bookings).filter(
      ({ code }) => code === 'protect-unsupported',
    );
    assert.equal(found.length, message === null ? 0 : 1);
    if (message !== null) assert.match(found[0]?.message ?? '', message);
  });
}

test('values that only the server can judge are listed with the checks of their column', () => {
  const facts = withFacts(
    { name: 'email', baseType: 'date' },
    {
      checks: [
        { name: 'c', columns: ['email'], expression: "email > '1900-01-01'" },
        { name: 'd', columns: ['email', 'id'], expression: 'true' },
      ],
    },
  );
  const values = erasureValues(
    mapOf(withColumn('email', { erase: { replace: 'soon' } })),
    indexSchema({ tables: [facts, bookings] }),
  );
  assert.deepEqual(
    values.map(({ column: name, value, type, checks }) => ({ name, value, type, checks: checks.map((check) => check.name) })),
    [{ name: 'email', value: 'soon', type: 'date', checks: ['c'] }],
  );
});

test('a row without the column of the tenant has the tenant of the person it belongs to', () => {
  const tenanted = { ...patients, columns: [...patients.columns, column({ name: 'org_id' })] };
  const map = { ...withColumn('org_id', { category: 'system.operations' }), tenant: { column: 'org_id' } };
  assert.deepEqual(problemsOf(map, tenanted, bookings), []);
});

test('a table of 1,600 columns is looked at in well under a second', () => {
  const names = Array.from({ length: 1600 }, (_, index) => `column_${index}`);
  const wide = table('wide', names);
  const columns = Object.fromEntries(names.map((name) => [name, { category: 'none', note: 'x', erase: 'null' as const }]));
  const found = problemsOf({ ...file, tables: { ...file.tables, wide: { columns } } }, patients, bookings, wide);
  assert.deepEqual(codes(found), ['erase-refused']);
  assert.equal(problemsOf(file, patients, bookings, wide).length, 1600);
});

test('without a database the words of the map are still held against each other and the law', () => {
  assert.deepEqual(checkMapAlone(mapOf(file)), []);
  assert.deepEqual(codes(checkMapAlone(mapOf(withTable('patients', { purposes: ['x'] })))), [
    'unknown-purpose',
    'missing-retention',
    'missing-retention',
  ]);
});

test('no schema and no map make the gate fall over, and every problem names a place of the map', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd');
  const facts = fc.array(
    fc.record({
      name,
      columns: fc.uniqueArray(name, { minLength: 1 }),
      links: fc.array(fc.tuple(name, name, name), { maxLength: 4 }),
      kind: fc.constantFrom(
        'table' as const,
        'view' as const,
        'partitioned-table' as const,
        'materialized-view' as const,
        'foreign-table' as const,
      ),
    }),
    { maxLength: 4 },
  );
  const path = fc.constantFrom('a', 'a -> b.c', 'b <- c.d', '[a, b] -> c.[d, a] -> [a, b]', 'x -> y.z', 'd -> b.a -> c');
  const text = fc.record(
    {
      of: fc.dictionary(name, fc.oneof(path, fc.array(path, { minLength: 1, maxLength: 3 })), {
        maxKeys: 2,
        noNullPrototype: true,
      }),
      columns: fc.dictionary(
        name,
        fc.record(
          {
            category: fc.constantFrom('none', 'user.name', 'odd', 'user.health_and_medical'),
            protect: fc.constantFrom('none' as const, 'client' as const),
            erase: fc.constantFrom('null' as const, 'hash' as const, 'keep' as const),
          },
          { noNullPrototype: true },
        ),
        { noNullPrototype: true },
      ),
    },
    { noNullPrototype: true },
  );
  const tables = fc.dictionary(name, text, { noNullPrototype: true });
  const subjects = fc.dictionary(
    name,
    fc.record({ table: name, key: fc.constantFrom('a', 'b', 'zz') }, { noNullPrototype: true }),
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(facts, tables, subjects, (made, mapped, people) => {
      const unique = [...new Map(made.map((each) => [each.name, each])).values()];
      const live = unique.map((each) =>
        table(each.name, each.columns, {
          kind: each.kind,
          foreignKeys: each.links.map(([from, to, at], place) => reference(`${from} -> ${to}.${at}`, { name: `f${place}` })),
        }),
      );
      const schema = schemaOf(...live);
      for (const problem of checkMap(mapOf({ tables: mapped, subjects: people }), schema.facts)) {
        assert.ok(['tables', 'subjects', 'purposes', 'outside', 'tenant'].includes(String(problem.pointer[0])));
        assert.ok(problem.message.length > 0 && problem.remedy.length > 0);
      }
    }),
    { numRuns: 500 },
  );
});

test('files outside that are to be erased need an absolute path with the key of the person in it', () => {
  const at = (path: string, erase = true): readonly MapProblem[] =>
    problemsOf({ ...file, outside: { xrays: { kind: 'files', of: 'patient', at: path, export: false, erase } } });
  for (const path of ['/srv/xrays', 'xrays/{key}']) {
    const [problem] = at(path);
    assert.equal(problem?.code, 'outside-path', path);
    assert.deepEqual(problem.pointer, ['outside', 'xrays', 'at']);
  }
  for (const path of ['/srv/xrays/{key}', 'C:\\xrays\\{key}.png']) assert.deepEqual(at(path), [], path);
  assert.deepEqual(at('/srv/xrays', false), []);
});

test('rows of several people, and what is nobody’s in them, are named; what the map says, keys and authors are not', () => {
  const letters = table(
    'letters',
    ['id', 'sender_id', 'recipient_id', 'writer_id', { name: 'body', baseType: 'text' }, { name: 'sender', baseType: 'text' }],
    {
      foreignKeys: [
        reference('sender_id -> patients.id'),
        reference('recipient_id -> patients.id'),
        reference('writer_id -> patients.id'),
      ],
    },
  );
  const named = (change: Partial<TableText>): readonly object[] => {
    const number = { category: 'user.unique_id' };
    const columns = { id: number, sender_id: number, recipient_id: number, writer_id: number, body: { category: 'user.content' } };
    const map: MapFile = {
      ...file,
      tables: {
        ...file.tables,
        letters: {
          of: { patient: ['sender_id', 'recipient_id'] },
          columns: { ...columns, sender: { category: 'user.name', of: 'sender_id' } },
          ...change,
        },
      },
    };
    return severalPeople(mapOf(map), indexSchema({ tables: [patients, bookings, letters] }));
  };
  assert.deepEqual(named({}), [{ table: 'public.letters', paths: ['sender_id', 'recipient_id'], columns: ['body'] }]);
  assert.deepEqual(named({ of: { patient: 'sender_id' } }), []);
  assert.deepEqual(named({ of: { patient: ['sender_id', { path: 'writer_id', meaning: 'created_by' }] } }), []);
});
