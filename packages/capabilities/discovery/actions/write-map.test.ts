import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { isSafekeepError, systemClock } from '@safekeep/core';
import { checkDatabase, loadMap } from '@safekeep/capabilities/datamap';
import { testDatabase } from '@safekeep/postgres/testing';
import { askReviewer } from './ask-reviewer.ts';
import { openFindings } from './open-findings.ts';
import { readVerdictFile, recordVerdicts } from './record-verdicts.ts';
import { scanDatabase, type ScanOrder } from './scan.ts';
import { writeMap } from './write-map.ts';

const ORDER: ScanOrder = { tenant: 'default', clock: systemClock, signal: new AbortController().signal };
const CLINIC = `
  create table patients (id bigint primary key, full_name text, email text, "Blood type" text, company text, region_id int);
  create table regions (id int primary key, name text);
  alter table patients add foreign key (region_id) references regions;
  create table staff (id bigint primary key, first_name text, last_name text, user_login text);
  create table bookings (id bigint primary key, patient_id bigint not null references patients on delete cascade, dentist_id bigint references staff, reason text, created_by bigint references staff);
  create table treatments (id bigint primary key, booking_id bigint references bookings, diagnosis text);
  create table messages (id bigint primary key, sender_id bigint references patients, recipient_id bigint references patients, body text);
  create table visitors_book (line text, visitor_name text, visitor_phone text);
  create table rooms (id int primary key, name text, built_by bigint references staff);
  create table logins (id bigint primary key, patient_id bigint references patients on delete set null, ip_address inet);`;

async function bench(t: TestContext) {
  const made = await testDatabase(t, { migrated: true });
  await made.pool.query(CLINIC);
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-scan-'));
  t.after(() => rm(folder, { recursive: true }));
  return { ...made, file: join(folder, 'datamap.yaml'), folder };
}

test('the map that a scan writes passes the gate, and says whose each row is', async (t) => {
  const { database, file } = await bench(t);
  const written = await writeMap(file, await scanDatabase(database, ORDER));
  assert.deepEqual([written.subjects, written.columns > 20], [2, true]);
  const map = await loadMap(file);
  assert.deepEqual((await checkDatabase(database, map)).problems, []);
  const of = (table: string): unknown => map.written.tables?.[table]?.of;
  assert.deepEqual(of('public.bookings'), {
    patient: { path: 'patient_id', meaning: 'owns' },
    staff: [
      { path: 'created_by', meaning: 'created_by' },
      { path: 'dentist_id', meaning: 'created_by' },
    ],
  });
  assert.deepEqual(of('public.treatments'), { patient: 'booking_id -> public.bookings.patient_id' });
  assert.deepEqual(of('public.messages'), { patient: ['recipient_id', 'sender_id'] });
  assert.deepEqual(
    of('public.logins'),
    { patient: { path: 'patient_id', meaning: 'about' } },
    'the row stays, what it says of them goes',
  );
  assert.equal(of('public.visitors_book'), 'none');
  assert.equal(of('public.regions'), undefined);
  assert.match(JSON.stringify(map.written.purposes), /to be confirmed by a person/);
});

test('a materialized view and a foreign table show people and are no subjects, and their map passes the gate', async (t) => {
  const { database, pool, file } = await bench(t);
  await pool.query(`
    create materialized view top_customers as select id, full_name, email from patients;
    create unique index on top_customers (id);
    create extension file_fdw; create server files foreign data wrapper file_fdw;
    create foreign table old_customers (id bigint not null, full_name text, email text) server files options (filename '/dev/null')`);
  await writeMap(file, await scanDatabase(database, ORDER));
  const map = await loadMap(file);
  assert.deepEqual((await checkDatabase(database, map)).problems, []);
  assert.deepEqual([...map.map.subjects.keys()], ['patient', 'staff']);
  for (const table of ['public.top_customers', 'public.old_customers']) {
    const { columns, of } = map.written.tables?.[table] ?? {};
    assert.match(JSON.stringify([columns, of]), /user\.name.*user\.contact\.email.*"none"/, table);
  }
});

test('a second scan adds nothing, and what people wrote stays to the byte', async (t) => {
  const { database, pool, file } = await bench(t);
  await writeFile(
    file,
    `# ours\nversion: 1\npurposes:\n  care: { use: essential.service, basis: contract, condition: health_care, retention: 3y } # agreed\nsubjects:\n  person: { table: public.patients, key: id }\ntables:\n  public.patients:\n    purposes: [care]\n    columns:\n      full_name: { category: none, note: "we say so" }   # not theirs to change\n`,
  );
  const before = await readFile(file, 'utf8');
  await writeMap(file, await scanDatabase(database, ORDER));
  const once = await readFile(file, 'utf8');
  for (const line of before.trimEnd().split('\n')) assert.ok(once.split('\n').includes(line), line);
  assert.match(once, /person: patient_id|person: \{ path: patient_id/);
  assert.deepEqual((await checkDatabase(database, await loadMap(file))).problems, []);
  assert.equal((await writeMap(file, await scanDatabase(database, ORDER))).columns, 0);
  assert.equal(await readFile(file, 'utf8'), once);
  await pool.query('alter table rooms add keeper_email text');
  const { columns } = await writeMap(file, await scanDatabase(database, ORDER));
  assert.equal(columns, 1);
});

test('verdicts are pinned, stand in the map, and fall when the column becomes another one', async (t) => {
  const { database, pool, file, folder } = await bench(t);
  const scan = await scanDatabase(database, ORDER);
  await writeMap(file, scan);
  const open = openFindings(scan.columns);
  assert.ok(
    open.some(({ column, neighbours }) => column === 'public.patients.company' && neighbours.includes('email: user.contact.email')),
  );
  const verdicts = join(folder, 'verdicts.yaml');
  await writeFile(verdicts, 'verdicts:\n  - { column: public.patients.company, category: none, note: of the building }\n');
  const recording = { tenant: 'default', by: 'ann', clock: systemClock, mapFile: file };
  assert.equal(await recordVerdicts(database, scan, { ...recording, verdicts: await readVerdictFile(verdicts) }), 1);
  assert.match(await readFile(file, 'utf8'), /company: \{ category: none, note: of the building \}/);
  const again = await scanDatabase(database, ORDER);
  const company = again.columns.find(({ column }) => column === 'public.patients.company');
  assert.deepEqual([company?.category, company?.decision, company?.pinned], ['none', 'none', true]);
  await pool.query('alter table patients alter company type varchar(90)');
  const later = (await scanDatabase(database, ORDER)).columns.find(({ column }) => column === 'public.patients.company');
  assert.deepEqual([later?.decision, later?.pinned], ['review', false]);
});

test('a verdict on nothing, with no category, or from a broken file is refused and none of its file is kept', async (t) => {
  const { database, pool, file, folder } = await bench(t);
  const scan = await scanDatabase(database, ORDER);
  const recording = { tenant: 'default', by: 'ann', clock: systemClock, mapFile: file };
  for (const bad of [
    { column: 'public.patients.nobody', category: 'none' },
    { column: 'public.patients.email', category: 'user.contact.emial' },
  ]) {
    const verdicts = [{ column: 'public.patients.company', category: 'none' }, bad];
    await assert.rejects(recordVerdicts(database, scan, { ...recording, verdicts }), (error) =>
      isSafekeepError(error, 'verdict-unfit'),
    );
  }
  assert.equal((await pool.query('select from safekeep.scan_verdicts')).rowCount, 0);
  const broken = join(folder, 'broken.yaml');
  for (const text of ['verdicts: [', 'verdicts: { a: 1 }', 'other: 1', 'verdicts:\n  - { column: a, category: none, wrong: 1 }']) {
    await writeFile(broken, text);
    await assert.rejects(readVerdictFile(broken), (error) => isSafekeepError(error, 'verdicts-invalid'));
  }
});

test('a reviewer decides by single keys, may go back, and what was decided before the end stands', async () => {
  const finding = (column: string) => ({
    column,
    category: 'user.name',
    confidence: 0.6,
    evidence: ['name: x'],
    neighbours: ['id: none'],
  });
  const open = ['a.b.one', 'a.b.two', 'a.b.three', 'a.b.four'].map(finding);
  const input = new PassThrough();
  const output = new PassThrough();
  const asked = askReviewer(open, { input, output, signal: new AbortController().signal });
  // One after the other, as they are asked for: accept, reject, back, skip it, change, stop.
  const keys = ['a', 'r', 'b', 's', 'c', 'user.contact.emial\nuser.contact.email\n', 'q'];
  let shown = '';
  output.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
    const next = /a accept .*\n$/.test(shown) || shown.endsWith('category: ') ? keys.shift() : undefined;
    if (next !== undefined) {
      shown = '';
      setImmediate(() => input.write(next));
    }
  });
  assert.deepEqual(await asked, [
    { column: 'a.b.one', category: 'user.name' },
    { column: 'a.b.three', category: 'user.contact.email' },
  ]);
});
