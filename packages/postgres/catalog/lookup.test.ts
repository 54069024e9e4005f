import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError, tableName } from '@safekeep/core';
import { testDatabase } from '../testing/index.ts';
import { findTable, findTableByOid, foreignKeysOf, referencedBy } from './lookup.ts';
import { readCatalog } from './read-catalog.ts';

test('tables are found by name, by parts and by number, and foreign keys from both ends', async (t) => {
  const { pool } = await testDatabase(t);
  await pool.query(`
    create table patients (id int primary key, guardian_id int references patients);
    create table "Patient files" (id int primary key, patient_id int references patients);
    create schema other;
    create table other.consents (patient_id int references patients)`);
  const catalog = await readCatalog(pool, { schemas: ['public'] });
  const patients = findTable(catalog, 'patients');
  assert.ok(patients);
  assert.equal(findTable(catalog, 'public.patients'), patients);
  assert.equal(findTable(catalog, { schema: 'public', table: 'patients' }), patients);
  assert.equal(findTableByOid(catalog, patients.oid), patients);
  assert.equal(findTable(catalog, 'public.nobody'), undefined);
  assert.equal(findTableByOid(catalog, 1), undefined);
  assert.throws(
    () => findTable(catalog, 'Patient files'),
    (error) => isSafekeepError(error, 'name-invalid'),
  );

  const files = findTable(catalog, '"Patient files"');
  assert.ok(files);
  assert.equal(tableName(files), 'public."Patient files"');
  assert.deepEqual(
    foreignKeysOf(catalog, files).map(({ from, to }) => [from, to]),
    [[files, patients]],
  );
  assert.deepEqual(
    referencedBy(catalog, patients).map(({ from, foreignKey }) => [tableName(from), foreignKey.columns]),
    [
      ['public."Patient files"', ['patient_id']],
      ['public.patients', ['guardian_id']],
    ],
  );
  assert.deepEqual(referencedBy(catalog, files), []);
});

test('a foreign key into a schema that was not read has no table at its other end', async (t) => {
  const { pool } = await testDatabase(t);
  await pool.query(`
    create table patients (id int primary key);
    create schema other;
    create table other.consents (patient_id int references patients)`);
  const catalog = await readCatalog(pool, { schemas: ['other'] });
  const [consents] = catalog.tables;
  assert.ok(consents);
  const [reference] = foreignKeysOf(catalog, consents);
  assert.equal(reference?.to, undefined);
  assert.equal(reference?.foreignKey.references.table, 'patients');
});
