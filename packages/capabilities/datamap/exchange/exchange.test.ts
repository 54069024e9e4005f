import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { isSafekeepError, readMap, writeMap, type MapFile } from '@safekeep/core';
import { readCatalog } from '@safekeep/postgres';
import { testDatabase } from '@safekeep/postgres/testing';
import { readMapText } from '../text/document.ts';
import { editMap, newMapText } from '../text/edit.ts';
import { exportDpv } from './dpv.ts';
import { exportFides, fidesDatasets } from './fides-export.ts';
import { importFides } from './fides-import.ts';

const FILE: MapFile = {
  version: 1,
  controller: { name: 'Riverside Dental', contact: 'privacy@example.org' },
  purposes: {
    care: {
      use: 'essential.service',
      basis: 'contract',
      condition: 'health_care',
      retention: '10y',
      recipients: ['a laboratory'],
      cite: 'a law',
    },
  },
  subjects: { patients: { table: 'patients', key: 'id', find_by: ['email'] } },
  tables: {
    'patients': {
      purposes: ['care'],
      columns: {
        id: { category: 'user.unique_id' },
        email: { category: 'user.contact.email' },
        card: { category: 'user.financial.credit_card.number' },
      },
    },
    'bookings': {
      of: { patients: 'patient_id' },
      columns: { id: { category: 'user.unique_id' }, patient_id: { category: 'user.unique_id' } },
    },
    'clinic.treatments': {
      of: { patients: 'booking_id -> bookings.patient_id' },
      columns: {
        id: { category: 'none', note: 'a number' },
        booking_id: { category: 'user.unique_id' },
        diagnosis: { category: 'user.health_and_medical.diagnosis' },
      },
    },
  },
};
const SCHEMA = `
  create table patients (id integer primary key, email varchar(80), card text);
  create table bookings (id integer primary key, patient_id integer references patients);
  create schema clinic;
  create table clinic.treatments (id integer primary key, booking_id integer references bookings, diagnosis text[]);
`;

function map() {
  const reading = readMap(FILE);
  assert.ok('map' in reading);
  return reading.map;
}

test('the export is a fides dataset for each schema, with the references its requests follow', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(SCHEMA);
  const facts = await database.withClient((client) => readCatalog(client));
  const [publicSchema, clinic] = fidesDatasets(map(), facts);
  assert.deepEqual(publicSchema?.fides_meta, { namespace: { schema: 'public' } });
  assert.deepEqual(publicSchema?.collections[0], {
    name: 'patients',
    fields: [
      { name: 'id', data_categories: ['user.unique_id'], fides_meta: { primary_key: true, data_type: 'integer' } },
      {
        name: 'email',
        data_categories: ['user.contact.email'],
        fides_meta: { identity: 'email', data_type: 'string', length: 80 },
      },
      { name: 'card', data_categories: ['user.financial.credit_card'], fides_meta: { data_type: 'string' } },
    ],
  });
  assert.deepEqual(clinic?.collections[0]?.fields, [
    { name: 'id', fides_meta: { primary_key: true, data_type: 'integer' } },
    {
      name: 'booking_id',
      data_categories: ['user.unique_id'],
      fides_meta: { references: [{ dataset: 'public', field: 'bookings.id', direction: 'from' }], data_type: 'integer' },
    },
    { name: 'diagnosis', data_categories: ['user.health_and_medical'], fides_meta: { data_type: 'string[]' } },
  ]);
  // What fides demands of keys: fideslang validation.py.
  for (const { fides_key: key } of [publicSchema, clinic].flatMap((dataset) => dataset ?? []))
    assert.match(key, /^[a-zA-Z0-9_.<>-]+$/);
});

test('what was exported to fides comes back as subjects, paths and categories', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(SCHEMA);
  const facts = await database.withClient((client) => readCatalog(client));
  const text = exportFides(map(), facts);
  const empty = readMapText(newMapText({ version: 1 }), 'm');
  const back = readMapText(editMap(empty, importFides(text, 'fides.yml', empty.map)), 'm');
  const { subjects, tables = {} } = writeMap(back.map);
  assert.deepEqual(subjects, { patients: { table: 'public.patients', key: 'id', find_by: ['email'] } });
  assert.deepEqual(tables['public.bookings']?.of, { patients: 'patient_id' });
  assert.deepEqual(tables['clinic.treatments']?.of, { patients: 'booking_id -> public.bookings.id -> patient_id' });
  assert.deepEqual(Object.keys(tables['clinic.treatments']?.columns ?? {}), ['booking_id', 'diagnosis']);
  assert.deepEqual(importFides(text, 'fides.yml', back.map), [], 'a second import adds nothing');
});

test('an import leaves what people wrote', () => {
  const text = 'version: 1\ntables:\n  patients:\n    columns:\n      email: { category: none, note: mine }\n';
  const before = readMapText(text, 'm');
  const dataset =
    'dataset:\n  - fides_key: x\n    collections:\n      - name: patients\n        fields:\n          - { name: email, data_categories: [user.contact.email] }\n          - { name: phone, data_categories: [user.contact.phone_number] }\n';
  assert.equal(
    editMap(before, importFides(dataset, 'd', before.map)),
    `${text}      phone: { category: user.contact.phone_number }\n`,
  );
});

for (const [what, text] of [
  ['no YAML', 'dataset: ['],
  ['another document', 'version: 1'],
  ['a collection without fields', 'dataset: [{ fides_key: a, collections: [{ name: b }] }]'],
] as const) {
  test(`${what} is refused as a dataset`, () => {
    assert.throws(
      () => importFides(text, 'd', map()),
      (error: unknown) => isSafekeepError(error, 'fides-invalid'),
    );
  });
}

test('in the words of DPV a purpose is a process with its basis, condition and kinds of data', () => {
  const document = parse(JSON.stringify(exportDpv(map()))) as { '@graph': Record<string, unknown>[] };
  const process = document['@graph'].find((node) => node['@type'] === 'dpv:Process');
  assert.deepEqual(process?.['dpv:hasLegalBasis'], [
    { '@id': 'https://w3id.org/dpv/legal/eu/gdpr#A6-1-b' },
    { '@id': 'https://w3id.org/dpv/legal/eu/gdpr#A9-2-h' },
  ]);
  assert.deepEqual(
    process?.['dpv:hasPersonalData'],
    ['CreditCardNumber', 'EmailAddress', 'Health', 'UID'].map((term) => ({ '@id': `https://w3id.org/dpv/pd#${term}` })),
  );
  assert.deepEqual(process?.['dpv:hasDataSubject'], [{ '@id': '#subject-patients' }]);
});
