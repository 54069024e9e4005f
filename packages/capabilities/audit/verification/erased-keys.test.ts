import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { inclusionProof, leafHash, openCheckpoint, verifyInclusion } from '@safekeep/tlog';
import { beginErasure, drainBeforeErasure, emptyAfterErasure, forget } from '../actions/erase-subject.ts';
import { recordEvent } from '../actions/record-event.ts';
import { accessLog, recordHistory, searchEvents } from '../questions/answer.ts';
import { leafBytes, leafOf } from '../rules/leaf.ts';
import { WORDS_OF_DETAILS } from '../store/partitions.ts';
import { tileReader } from '../store/sequencer.ts';
import { workbench } from '../testing/workbench.ts';

// Numbers of Ann's rows begin with 71, those of others with 9: none of the former may be read anywhere once she is erased.
const CLINIC = `
  create table patients (id integer primary key, number text not null unique, name text, room integer);
  create table visits (id integer primary key, patient_number text not null references patients (number), room integer);
  create table findings (id integer primary key, visit_id integer not null references visits on delete cascade, grade integer);
  create table bills (id integer primary key, patient_id integer references patients, visit_id integer references visits on delete set null, amount integer);
  create table messages (id integer primary key, sender integer references patients, recipient integer references patients, body text, lines integer);
  create table slots (id integer primary key, patient_id integer references patients, room integer);`;
const personal = { category: 'user.contact.email' };
const plain = { category: 'none', note: 'looked at' };
const TABLES = {
  'public.patients': { columns: { id: plain, number: plain, name: personal, room: plain } },
  'public.visits': {
    of: { patient: 'patient_number -> patients.number' },
    columns: { id: plain, patient_number: plain, room: plain },
  },
  'public.findings': {
    of: { patient: 'visit_id -> visits.patient_number' },
    columns: { id: plain, visit_id: plain, grade: plain },
  },
  'public.bills': { of: { patient: 'patient_id' }, columns: { id: plain, patient_id: plain, visit_id: plain, amount: plain } },
  'public.messages': {
    of: { patient: ['sender', 'recipient'] },
    columns: { id: plain, sender: plain, recipient: plain, body: personal, lines: plain },
  },
  'public.slots': { of: { patient: 'patient_id' }, columns: { id: plain, patient_id: plain, room: plain } },
};
const ROWS = `
  insert into patients values (710071001, 'P710071001', 'Ann', 3), (900090001, 'P900090001', 'Bob', 4);
  insert into slots values (950095001, null, 1), (950095002, null, 2);
  update slots set patient_id = 710071001 where id = 950095001;
  update slots set patient_id = 900090001 where id = 950095002;
  insert into visits values (710071002, 'P710071001', 1), (900090002, 'P900090001', 2);
  insert into findings values (710071003, 710071002, 1), (710071004, 710071002, 2);
  insert into bills values (710071005, 710071001, 710071002, 30), (900090005, 900090001, 900090002, 40);
  insert into messages values (930093001, 710071001, 900090001, 'dear Bob', 1), (930093002, 900090001, 710071001, 'dear Ann', 2);
  update bills set visit_id = null where id = 710071005;
  update bills set visit_id = 710071002, amount = 31 where id = 710071005;
  update findings set id = 710071006 where id = 710071004;
  update messages set lines = 4 where id = 930093001;
  update slots set patient_id = null where id = 950095002;`;
const ANN = { tenant: 'default', subject: 'patient:710071001' };
// Longer than what is left of a time, and whole words: digits of hashes are none.
const ANNS = /\bP?71\d{7}\b/;
const BOBS = /\bP?9[03]\d{7}\b/;
const BOB = { tenant: 'default', subject: 'patient:900090001' };

async function clinic(t: TestContext) {
  const bench = await workbench(t, { setUp: CLINIC });
  await bench.capture(TABLES, { subjects: { patient: { table: 'public.patients', key: 'id' } } });
  await bench.pool.query(ROWS);
  await bench.sequence();
  const { database, sequencer, pool } = bench;
  const { keys } = sequencer;
  const verify = async (): Promise<readonly string[]> => {
    await bench.sequence();
    const { faults } = await bench.verify();
    return faults.map(({ code, detail }) => `${code} ${detail.replaceAll(/event \d+/g, 'event N')}`);
  };
  const erase = async (who: typeof ANN, sql: string): Promise<void> => {
    await drainBeforeErasure(sequencer);
    await database.withClient(async (client) => {
      await client.query('begin');
      await beginErasure(client, sequencer, who);
      await client.query(sql);
      await forget(client, sequencer, who);
      await client.query('commit');
    });
    await emptyAfterErasure(sequencer);
  };
  /** Where in the tables of the log, or among the words by which it is searched, a key stands. */
  const places = async (key: RegExp): Promise<readonly string[]> => {
    const { rows: tables } = await pool.query<{ name: string }>(
      `select relname as name from pg_class where relnamespace = 'safekeep'::regnamespace and relname like 'audit\\_%' and relkind in ('r', 'p', 'v')`,
    );
    const dumps = tables.map(async ({ name }) => {
      const { rows } = await pool.query<{ text: string }>(`select t::text as text from safekeep.${name} as t`);
      return rows.map(({ text }) => `${name}: ${text}`);
    });
    const { rows: words } = await pool.query<{ text: string }>(
      `select (${WORDS_OF_DETAILS})::text as text from safekeep.audit_events as e`,
    );
    const all = [...(await Promise.all(dumps)).flat(), ...words.map(({ text }) => `words: ${text}`)];
    return all.filter((text) => key.test(text));
  };
  const historyOf = async (table: string, record: string) => {
    const ground = { tenant: 'default', keys: keys.subjectKeys };
    const { events } = await recordHistory(database, ground, { table, record }, { limit: 100 });
    return events.map(({ action, changes = [] }) =>
      [action, ...changes.map(({ column, after }) => `${column}=${String(after)}`).toSorted()].join(' '),
    );
  };
  return { ...bench, verify, erase, places, historyOf };
}

test('keys of rows and what leads from row to row are sealed for the people of the row, and its history is whole all the same', async (t) => {
  const { events, historyOf, verify, database } = await clinic(t);
  assert.deepEqual(await verify(), []);
  const readable = (await events()).filter(({ subject }) => subject !== null).map(({ details }) => details);
  assert.doesNotMatch(readable.join('\n'), /\bP?[79]\d{8}\b/);
  assert.match(readable.join('\n'), /"room": "3"/, 'what is not personal stays readable');
  assert.deepEqual(await historyOf('public.bills', '710071005'), [
    'update amount=31 visit_id=710071002',
    'update visit_id=null',
    'insert amount=30 id=710071005 patient_id=710071001 visit_id=710071002',
  ]);
  assert.deepEqual(await historyOf('public.slots', '950095002'), [
    'update patient_id=null',
    'update patient_id=900090001',
    'insert id=950095002 patient_id=null room=2',
  ]);
  const { events: found } = await searchEvents(
    database,
    'default',
    { subject: 'patient:710071001', table: 'public.findings' },
    { limit: 9 },
  );
  assert.deepEqual(
    found.map(({ record }) => record),
    ['710071004', '710071004', '710071003'],
  );
});

test('a row that is nobody’s yet raises no alarm, and one whose person cannot be found is sealed', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table patients (id integer primary key); create table slots (id integer primary key, patient_id integer)`,
  });
  await bench.capture(
    { 'public.slots': { of: { patient: 'patient_id -> patients.id' }, columns: { id: plain, patient_id: plain } } },
    { subjects: { patient: { table: 'public.patients', key: 'id' } } },
  );
  await bench.pool.query('insert into slots values (1, null)');
  assert.equal((await bench.sequence()).quarantined, 0);
  await bench.pool.query('insert into slots values (2, 77)');
  await bench.sequence();
  const [open, led] = await bench.events();
  assert.deepEqual(JSON.parse(open?.details ?? '').new, { id: '1', patient_id: null });
  assert.equal(JSON.parse(led?.details ?? '').new, undefined);
});

test('after an erasure no key of the person stands readable anywhere in the log, which verifies in full with its earlier proofs', async (t) => {
  const bench = await clinic(t);
  const { pool, database, sequencer, events, places, verify, erase, historyOf } = bench;
  // In one batch of the sequencer: a row that the log has already, and one whose first change comes with it.
  const look = { kind: 'access', action: 'history-opened', table: 'public.findings' } as const;
  await recordEvent(database, 'default', { ...look, record: '710071003' });
  await pool.query('insert into findings values (710071007, 710071002, 3)');
  await recordEvent(database, 'default', { ...look, record: '710071007' });
  await bench.sequence();
  const { events: looks } = await accessLog(
    database,
    { tenant: 'default', naming: 'names' },
    { subject: 'patient:710071001' },
    { limit: 3 },
  );
  const opened = looks.filter(({ sentence }) => sentence.includes('opened the history of'));
  assert.equal(opened.length, 2, 'she can see that somebody looked');
  const [first] = await events();
  assert.ok(first);
  const { rows: notes } = await pool.query<{ note: string }>('select note from safekeep.audit_checkpoints');
  const old = openCheckpoint(notes[0]?.note ?? '', { trusted: [sequencer.signer.verifierKey] });
  const proof = await inclusionProof(tileReader(pool, { tenant: 'default', era: 1 }), { index: first.index, size: old.size });
  assert.ok((await places(ANNS)).length > 20);

  await erase(
    ANN,
    `delete from public.bills where id = 710071005; delete from public.findings where id = 710071003;
     update public.messages set sender = null where sender = 710071001; update public.messages set recipient = null where recipient = 710071001;
     update public.slots set patient_id = null where patient_id = 710071001; update public.patients set name = 'erased' where id = 710071001`,
  );
  assert.deepEqual(await places(ANNS), []);
  assert.deepEqual(await verify(), []);
  const after = await events();
  const again = after.find(({ id }) => id === first.id);
  assert.ok(again);
  verifyInclusion({ index: first.index, size: old.size, root: old.root, leaf: leafHash(leafBytes(leafOf(again))) }, proof);
  assert.deepEqual(await historyOf('public.findings', '710071003'), []);
  assert.ok(
    (await historyOf('public.messages', '930093002')).every((line) => !/recipient=7/.test(line)),
    'nor by what is sealed for others',
  );

  // What is left goes on being the application's; then the other one of the messages is erased too, and nobody owns them any more.
  await pool.query(
    `update findings set grade = 9; update visits set room = 8; update messages set lines = 7; delete from findings`,
  );
  assert.deepEqual(await verify(), []);
  await emptyAfterErasure(sequencer);
  assert.deepEqual(await places(ANNS), []);
  await erase(
    BOB,
    `update public.messages set sender = null, recipient = null, body = null; delete from public.bills; update public.patients set name = 'erased'`,
  );
  assert.deepEqual(await verify(), []);
  const left = (await events()).filter(({ table }) => table === 'public.messages').map(({ record }) => record);
  assert.deepEqual([...new Set(left)], [null]);
  assert.deepEqual(await places(BOBS), []);
});
