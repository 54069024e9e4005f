import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { beginErasure, drainBeforeErasure, forget, recordRemains, recordRemainsOfChunk } from '../actions/erase-subject.ts';
import { workbench } from '../testing/workbench.ts';

const CLINIC = `
  create table patients (id integer primary key, name text, email text, room integer);
  create table likes (patient_id integer, place integer, colour text, primary key (patient_id, place));
  create table messages (id integer primary key, sender integer, recipient integer, title text, body text, lines integer);
  create table invoices (id integer primary key, patient_id integer, note text, amount numeric);`;
const personal = { category: 'user.contact.email' };
const plain = { category: 'none', note: 'looked at' };
const TABLES = {
  'public.patients': { columns: { id: plain, name: personal, email: personal, room: plain } },
  // Nothing in it is personal: an erasure that masks does not touch it.
  'public.likes': { of: { patient: 'patient_id' }, columns: { patient_id: plain, place: plain, colour: plain } },
  'public.messages': {
    of: { patient: ['sender', 'recipient'] },
    columns: { id: plain, sender: plain, recipient: plain, title: { ...personal, of: 'sender' }, body: personal, lines: plain },
  },
  'public.invoices': {
    of: { patient: 'patient_id' },
    on_erasure: { keep: 'legal_obligation', cite: 'tax code' },
    columns: { id: plain, patient_id: plain, note: personal, amount: plain },
  },
};
const ROWS = `
  insert into patients values (1, 'Ann Secret', 'ann@secret.example', 3), (2, 'Bob', 'b@b.c', 4);
  insert into likes values (1, 1, 'red'), (1, 2, 'blue'), (2, 1, 'green');
  insert into messages values (1, 1, 2, 'from Ann', 'dear Bob', 1), (2, 2, 1, 'from Bob', 'dear Ann', 2);
  insert into invoices values (7, 1, 'root canal', 12.50), (8, 1, 'filling', 9.00);
  update patients set room = 5, email = 'ann@second.example' where id = 1;
  update likes set place = 3, colour = 'pink' where patient_id = 1 and place = 2;
  update messages set lines = 4 where id = 1;`;
const ERASE = `
  update public.patients set name = 'erased', email = null where id = 1;
  update public.messages set title = null where sender = 1;
  update public.invoices set patient_id = null where id = 8;`;
const WHO = { tenant: 'default', subject: 'patient:1' };

async function bench(t: TestContext, { before = '', rows = ROWS } = {}) {
  const made = await workbench(t, { setUp: `${CLINIC}${before}` });
  await made.capture(TABLES, { subjects: { patient: { table: 'public.patients', key: 'id' } } });
  await made.pool.query(rows);
  const { database, sequencer, pool } = made;
  const verify = async (): Promise<readonly string[]> => {
    await made.sequence();
    const { faults } = await made.verify();
    return faults.map(({ code, detail }) => `${code} ${detail.replaceAll(/event \d+/g, 'event N')}`);
  };
  const erase = async ({ sql = ERASE, isHeld = false, fates = ['erasable'] as const }: Erasing = {}) => {
    await drainBeforeErasure(sequencer);
    await database.withClient(async (client) => {
      await client.query('begin');
      await beginErasure(client, sequencer, WHO);
      await client.query(sql);
      if (isHeld) await recordRemains(client, sequencer, WHO);
      else await forget(client, sequencer, { ...WHO, fates });
      await client.query('commit');
    });
  };
  /** With triggers off, as somebody would who wants to leave no trace. */
  const unseen = async (sql: string) => {
    await pool.query(`begin; set local session_replication_role = replica; ${sql}; commit`);
  };
  return { ...made, verify, erase, unseen };
}

type Erasing = { readonly sql?: string; readonly isHeld?: boolean; readonly fates?: readonly ('erasable' | 'kept')[] };

test('what is left of an erased person is no fault: masked rows, untouched ones, those of others and those that the law keeps', async (t) => {
  const { verify, erase, events, pool } = await bench(t);
  assert.deepEqual(await verify(), []);
  const before = (await events()).length;
  await erase();
  assert.deepEqual(await verify(), []);
  const said = (await events()).slice(before).map(({ record, subject, details }) => JSON.stringify([record, subject, details]));
  assert.doesNotMatch(said.join('\n'), /Secret|secret|second|pink|red/, 'and what is said of them tells nothing');
  assert.deepEqual(
    (await events()).filter(({ table, record }) => table === 'public.patients' && record === '1'),
    [],
  );
  // The rows are still the application's.
  await pool.query(`update patients set room = 9 where id = 1; update patients set name = 'Ann again' where id = 1;
    update likes set colour = 'black' where patient_id = 1 and place = 1; delete from likes where patient_id = 1 and place = 3;
    update messages set body = 'dear reader' where id = 2; update invoices set amount = 10 where id = 7`);
  assert.deepEqual(await verify(), []);
  await erase({ sql: 'update public.invoices set note = null where id in (7, 8)', fates: ['erasable', 'kept'] });
  assert.deepEqual(await verify(), []);
  await pool.query('delete from invoices; delete from messages; delete from likes; delete from patients');
  assert.deepEqual(await verify(), []);
});

test('rows that the log knows nothing of, since they stood before capture began, are told by the erasure that touches them', async (t) => {
  const { verify, erase, unseen } = await bench(t, {
    before: `insert into patients values (1, 'Ann Secret', 'ann@secret.example', 3); insert into messages values (5, 1, 2, 'from Ann', 'dear Bob', 1)`,
    rows: '',
  });
  await erase();
  assert.deepEqual(await verify(), []);
  await unseen(`update messages set body = 'forged' where id = 5`);
  assert.deepEqual(await verify(), [
    'row-unexplained public.messages: the row 5 has other values in body than event N left there.',
  ]);
});

test('each edit of what an erasure left is found, with triggers off and whatever the row', async (t) => {
  const { verify, erase, unseen, pool } = await bench(t);
  await erase();
  assert.deepEqual(await verify(), []);
  const other = (table: string, row: string, column: string) =>
    `row-unexplained public.${table}: the row ${row} has other values in ${column} than event N left there.`;
  const gone = (table: string) =>
    `row-unexplained public.${table}: the row of an erased person of which event N said how it stands is gone, and the log has no deletion of it.`;
  const attacks: readonly (readonly [string, string])[] = [
    [`update patients set name = 'planted' where id = 1`, other('patients', '1', 'name')],
    [`update patients set email = 'x@y.z' where id = 1`, other('patients', '1', 'email')],
    [`update patients set room = 1 where id = 1`, other('patients', '1', 'room')],
    [`update likes set colour = 'grey' where patient_id = 1 and place = 1`, other('likes', '1,1', 'colour')],
    [`update likes set colour = 'grey' where patient_id = 1 and place = 3`, other('likes', '1,3', 'colour')],
    [`update messages set title = 'planted' where id = 1`, other('messages', '1', 'title')],
    [`update messages set body = 'I owe you' where id = 1`, other('messages', '1', 'body')],
    [`update messages set lines = 9 where id = 2`, other('messages', '2', 'lines')],
    [`update invoices set note = 'nothing' where id = 7`, other('invoices', '7', 'note')],
    [`update invoices set amount = 0 where id = 8`, other('invoices', '8', 'amount')],
    [`delete from patients where id = 1`, gone('patients')],
    [`delete from likes where patient_id = 1 and place = 3`, gone('likes')],
  ];
  const tables = ['patients', 'likes', 'messages', 'invoices'];
  await pool.query(tables.map((table) => `create table saved_${table} as table ${table}`).join('; '));
  for (const [attack, told] of attacks) {
    await unseen(attack);
    assert.deepEqual(await verify(), [told], attack);
    await unseen(tables.map((table) => `delete from ${table}; insert into ${table} table saved_${table}`).join('; '));
  }
  assert.deepEqual(await verify(), []);
});

test('that values are gone excuses nothing: not without an erasure, not in one that never said what it left', async (t) => {
  const { verify, unseen, pool, sequencer, database } = await bench(t);
  assert.deepEqual(await verify(), []);
  // A superuser destroys the person's keys by hand, and edits a row whose values nobody can look up any more.
  await pool.query(`update safekeep.audit_events set commitments = safekeep.close_commitments(commitments, record, subject, other_subjects, true, sealed, array(select encode(key_id, 'hex') from safekeep.encryption_keys))
    where table_name = 'public.messages' and record = '2'`);
  await unseen(`update messages set body = 'I owe you' where id = 2`);
  assert.notDeepEqual(await verify(), []);
  await unseen(`update messages set body = 'dear Ann' where id = 2`);
  // Capture is told that this is an erasure, which nobody but the owner can: what it leaves out must be told afterwards.
  await database.withClient(async (client) => {
    await client.query('begin');
    await beginErasure(client, sequencer, WHO);
    await client.query(`update public.patients set email = 'quietly@x.y' where id = 2`);
    await client.query('commit');
  });
  assert.ok(
    (await verify()).includes(
      'row-unexplained public.patients: the row 2: the values of event N were taken out of the log, and no erasure says how the row stands since.',
    ),
  );
  await database.withClient(async (client) => {
    await client.query('begin');
    await recordRemains(client, sequencer, { tenant: 'default', subject: 'patient:2' });
    await client.query('commit');
  });
  assert.ok(!(await verify()).some((fault) => fault.includes('patients')));
});

test('where a hold keeps the keys, what was erased of other rows is explained all the same', async (t) => {
  const { verify, erase, unseen } = await bench(t);
  await erase({ isHeld: true });
  assert.deepEqual(await verify(), []);
  await unseen(`update patients set name = 'planted' where id = 1`);
  assert.deepEqual(await verify(), [
    'row-unexplained public.patients: the row 1 has other values in name than event N left there.',
  ]);
});

test('a row whose key changed is followed: its values from before, and whether it is there', async (t) => {
  const { verify, unseen, pool } = await bench(t);
  await pool.query(`update likes set place = 7 where patient_id = 2; update patients set id = 20 where id = 2`);
  assert.deepEqual(await verify(), []);
  await unseen(`update likes set colour = 'grey' where patient_id = 2; delete from patients where id = 20`);
  assert.deepEqual(await verify(), [
    'row-unexplained public.likes: the row 2,7 has other values in colour than event N left there.',
    'row-unexplained public.patients: the row 20 is gone, and the log has it last as changed, not as deleted.',
  ]);
});

test('between the chunks of a large erasure its rows are explained, and an edit of another row is not excused by it', async (t) => {
  const { verify, erase, unseen, database, sequencer } = await bench(t);
  await database.withClient(async (client) => {
    await client.query('begin');
    await beginErasure(client, sequencer, WHO);
    await client.query('update public.messages set title = null where sender = 1; delete from public.likes where patient_id = 1');
    await recordRemainsOfChunk(client, WHO);
    await client.query('commit');
  });
  assert.deepEqual(await verify(), []);
  await unseen(`update messages set body = 'I owe you' where id = 1; update patients set email = 'x@y.z' where id = 1`);
  assert.deepEqual((await verify()).toSorted(), [
    'row-unexplained public.messages: the row 1 has other values in body than event N left there.',
    'row-unexplained public.patients: the row 1 has other values in email than event N left there.',
  ]);
  await unseen(`update messages set body = 'dear Bob' where id = 1; update patients set email = 'ann@second.example' where id = 1`);
  await erase({ sql: `update public.patients set name = 'erased', email = null where id = 1` });
  assert.deepEqual(await verify(), []);
});
