import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { shortestPaths } from './find-paths.ts';
import { mapOf, reference, schemaOf, table } from './testing/clinic.ts';
import { formatPath, parsePath, type SubjectPath } from './path.ts';
import { pathOfHops, resolveColumnPath, resolveEdge, resolvePath, textOfHops, type Hop } from './resolve.ts';
import type { SchemaIndex } from './schema-facts.ts';

const patients = { table: 'public.patients', key: ['id'] };

function path(text: string): SubjectPath {
  const read = parsePath(text);
  assert.ok('path' in read);
  return read.path;
}

function hops(schema: SchemaIndex, start: string, text: string, end = patients): readonly Hop[] {
  const found = resolvePath(schema, start, path(text), end);
  assert.ok(!('kind' in found), 'kind' in found ? `${text}: ${found.message}` : '');
  return found;
}

const clinic = schemaOf(
  table('patients', ['id', 'address_id', 'guardian_id'], {
    foreignKeys: [reference('address_id -> addresses.id'), reference('guardian_id -> patients.id')],
  }),
  table('addresses', ['id']),
  table('bookings', ['id', 'patient_id', 'code'], { foreignKeys: [reference('patient_id -> patients.id')] }),
  table('treatments', ['id', 'booking_id', 'booking_code'], { foreignKeys: [reference('booking_id -> bookings.id')] }),
  table('drafts', ['id', 'patient_id', 'title']),
);

test('a column that refers to the person is a path of one step', () => {
  assert.deepEqual(hops(clinic, 'public.bookings', 'patient_id'), [
    {
      from: 'public.bookings',
      columns: ['patient_id'],
      to: 'public.patients',
      references: ['id'],
      direction: 'forward',
      foreignKey: 'patient_id_patients_fkey',
    },
  ]);
});

test('a path over another table follows the foreign keys, arrivals written or not', () => {
  const short = hops(clinic, 'public.treatments', 'booking_id -> bookings.patient_id');
  assert.deepEqual(
    short.map(({ to }) => to),
    ['public.bookings', 'public.patients'],
  );
  for (const long of [
    'booking_id -> bookings.id -> patient_id',
    'booking_id -> bookings.id -> bookings.patient_id',
    'booking_id -> bookings.patient_id -> patients.id',
  ]) {
    assert.deepEqual(hops(clinic, 'public.treatments', long), short, long);
  }
});

test('a step without a foreign key is followed where number and type of the columns fit, and says so', () => {
  assert.deepEqual(
    hops(clinic, 'public.drafts', 'patient_id').map(({ foreignKey }) => foreignKey),
    [null],
  );
  const [first] = hops(clinic, 'public.treatments', 'booking_code -> bookings.code -> patient_id');
  assert.deepEqual(first, {
    from: 'public.treatments',
    columns: ['booking_code'],
    to: 'public.bookings',
    references: ['code'],
    direction: 'forward',
    foreignKey: null,
  });
});

test('a path against a reference leads from an address to whose it is', () => {
  const [hop] = hops(clinic, 'public.addresses', 'id <- patients.address_id');
  assert.deepEqual(hop, {
    from: 'public.addresses',
    columns: ['id'],
    to: 'public.patients',
    references: ['address_id'],
    direction: 'reverse',
    foreignKey: 'address_id_addresses_fkey',
  });
});

test('a self-reference of the persons leads to another person', () => {
  assert.deepEqual(
    hops(clinic, 'public.patients', 'guardian_id').map(({ to }) => to),
    ['public.patients'],
  );
});

test('composite keys join on all columns together, in whatever order they are written', () => {
  const tenanted = schemaOf(
    table('patients', ['tenant_id', 'id'], { primaryKey: { name: 'p', columns: ['tenant_id', 'id'] } }),
    table('bookings', ['tenant_id', 'id', 'patient_id'], {
      primaryKey: { name: 'b', columns: ['tenant_id', 'id'] },
      foreignKeys: [reference('tenant_id, patient_id -> patients.tenant_id, id')],
    }),
    table('treatments', ['tenant_id', 'booking_id'], {
      foreignKeys: [reference('tenant_id, booking_id -> bookings.tenant_id, id')],
    }),
  );
  const end = { table: 'public.patients', key: ['tenant_id', 'id'] };
  const expected = hops(tenanted, 'public.treatments', '[tenant_id, booking_id] -> bookings.[tenant_id, patient_id]', end);
  assert.deepEqual(
    expected.map(({ columns, references }) => [columns, references]),
    [
      [
        ['tenant_id', 'booking_id'],
        ['tenant_id', 'id'],
      ],
      [
        ['tenant_id', 'patient_id'],
        ['tenant_id', 'id'],
      ],
    ],
  );
  for (const text of [
    '[booking_id, tenant_id] -> bookings.[patient_id, tenant_id]',
    '[tenant_id, booking_id] -> bookings.[tenant_id, id] -> [tenant_id, patient_id]',
  ]) {
    assert.deepEqual(hops(tenanted, 'public.treatments', text, end), expected, text);
  }
});

test('a key shared along a chain of tables is walked table by table', () => {
  const chain = schemaOf(
    table('patients', ['id']),
    table('accounts', ['id'], { foreignKeys: [reference('id -> patients.id')] }),
    table('settings', ['id'], { foreignKeys: [reference('id -> accounts.id')] }),
  );
  assert.deepEqual(
    hops(chain, 'public.settings', 'id -> accounts.id').map(({ to }) => to),
    ['public.accounts', 'public.patients'],
  );
});

const broken: readonly (readonly [start: string, text: string, message: RegExp, remedy: RegExp])[] = [
  ['public.bookings', 'patent_id', /no column patent_id/, /patient_id/],
  ['public.treatments', 'booking_id -> booking.patient_id', /no table public\.booking/, /public\.bookings/],
  ['public.treatments', 'booking_id -> patient_id', /names no table/, /table\.column/],
];
for (const [start, text, message, remedy] of broken) {
  test(`"${text}" is broken, with the reason and a mend`, () => {
    const found = resolvePath(clinic, start, path(text), patients);
    assert.ok('kind' in found && found.kind === 'broken');
    assert.match(found.message, message);
    assert.match(found.remedy, remedy);
  });
}

test('columns whose types cannot be compared lead nowhere', () => {
  const schema = schemaOf(table('patients', ['id']), table('notes', ['id', { name: 'author', baseType: 'text' }]));
  const found = resolvePath(schema, 'public.notes', path('author'), patients);
  assert.ok('kind' in found);
  assert.match(found.message, /author of public\.notes does not lead to public\.patients/);
});

test('two foreign keys over the same columns are ambiguous until the arrival is named', () => {
  const schema = schemaOf(
    table('patients', ['id', 'bookings']),
    table('bookings', ['id', 'code', 'patient_id'], { foreignKeys: [reference('patient_id -> patients.id')] }),
    table('notes', ['id', 'ref'], {
      foreignKeys: [reference('ref -> bookings.id', { name: 'a' }), reference('ref -> bookings.code', { name: 'b' })],
    }),
  );
  const found = resolvePath(schema, 'public.notes', path('ref -> bookings.patient_id'), patients);
  assert.ok('kind' in found && found.kind === 'ambiguous');
  assert.equal(hops(schema, 'public.notes', 'ref -> bookings.code -> patient_id')[0]?.foreignKey, 'b');
});

const defaults: readonly (readonly [onDelete: Parameters<typeof reference>[1], paths: string | string[], meaning: string])[] = [
  [{ onDelete: 'cascade' }, 'patient_id', 'owns'],
  [{ onDelete: 'no-action' }, 'patient_id', 'owns'],
  [{ onDelete: 'set-null' }, 'patient_id', 'created_by'],
  [{ onDelete: 'set-default' }, 'patient_id', 'created_by'],
  [{ onDelete: 'cascade' }, ['patient_id', 'other_id'], 'shared'],
];
for (const [onDelete, of, meaning] of defaults) {
  test(`${JSON.stringify(onDelete)} with ${JSON.stringify(of)} means ${meaning} unless the map says otherwise`, () => {
    const schema = schemaOf(
      table('patients', ['id']),
      table('notes', ['id', 'patient_id', 'other_id'], { foreignKeys: [reference('patient_id -> patients.id', onDelete)] }),
    );
    const map = mapOf({ subjects: { patient: { table: 'patients', key: 'id' } }, tables: { notes: { of: { patient: of } } } });
    const [edge] = map.tables.get('public.notes')?.of ?? [];
    assert.ok(edge !== undefined);
    const resolved = resolveEdge(map, schema, 'public.notes', edge);
    assert.ok(!('kind' in resolved));
    assert.equal(resolved.meaning, meaning);
    const stated = resolveEdge(map, schema, 'public.notes', { ...edge, meaning: 'about' });
    assert.ok(!('kind' in stated) && stated.meaning === 'about' && stated.meaningFrom === 'map');
  });
}

test('a path to a column ends at the table that has it', () => {
  const found = resolveColumnPath(clinic, 'public.treatments', path('booking_id -> bookings.code'));
  assert.ok(!('kind' in found));
  assert.deepEqual([found.column, found.hops.map(({ to }) => to)], ['code', ['public.bookings']]);
});

test('all shortest ways are found, in cycles too, and none that is longer', () => {
  const schema = schemaOf(
    table('patients', ['id', 'last_message'], { foreignKeys: [reference('last_message -> messages.id')] }),
    table('messages', ['id', 'sender_id', 'recipient_id', 'reply_to', 'thread_id'], {
      foreignKeys: [
        reference('sender_id -> patients.id'),
        reference('recipient_id -> patients.id'),
        reference('reply_to -> messages.id'),
        reference('thread_id -> threads.id'),
      ],
    }),
    table('threads', ['id', 'owner_id', 'first'], {
      foreignKeys: [reference('owner_id -> patients.id'), reference('first -> messages.id')],
    }),
    table('files', ['id', 'thread_id', 'message_id'], {
      foreignKeys: [reference('thread_id -> threads.id'), reference('message_id -> messages.id')],
    }),
  );
  const ways = (start: string): readonly string[] => shortestPaths(schema, start, patients).map(textOfHops).toSorted();
  assert.deepEqual(ways('public.messages'), ['recipient_id', 'sender_id']);
  assert.deepEqual(ways('public.files'), [
    'message_id -> public.messages.recipient_id',
    'message_id -> public.messages.sender_id',
    'thread_id -> public.threads.owner_id',
  ]);
  assert.deepEqual(ways('public.patients'), []);
});

test('a way that was found, written as a path and followed again is the same way, in any schema', () => {
  const names = ['t0', 't1', 't2', 't3', 't4', 't5'];
  const links = fc.array(fc.record({ from: fc.nat(5), column: fc.nat(3), to: fc.nat(5), arrival: fc.constantFrom('id', 'code') }), {
    maxLength: 16,
  });
  fc.assert(
    fc.property(links, fc.nat(5), fc.nat(5), (made, start, end) => {
      const schema = schemaOf(
        ...names.map((name, index) =>
          table(name, ['id', 'code', 'c0', 'c1', 'c2', 'c3'], {
            foreignKeys: made
              .filter(({ from }) => from === index)
              .map(({ column, to, arrival }, place) => reference(`c${column} -> ${names[to]}.${arrival}`, { name: `fk${place}` })),
          }),
        ),
      );
      const target = { table: `public.${names[end]}`, key: ['id'] };
      for (const way of shortestPaths(schema, `public.${names[start]}`, target)) {
        const written = path(formatPath(pathOfHops(way)));
        const again = resolvePath(schema, `public.${names[start]}`, written, target);
        // The only thing a way of writing cannot carry: two foreign keys over the same columns to the same table.
        if ('kind' in again) assert.equal(again.kind, 'ambiguous');
        else
          assert.deepEqual(
            again.map(({ to, columns, references }) => ({ to, columns, references })),
            way.map(({ to, columns, references }) => ({ to, columns, references })),
          );
      }
    }),
  );
});
