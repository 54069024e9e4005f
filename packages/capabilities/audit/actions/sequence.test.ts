import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testServers } from '@safekeep/postgres/testing';
import { openCheckpoint } from '@safekeep/tlog';
import { workbench } from '../testing/workbench.ts';
import { readLog } from '../testing/read-log.ts';
import { sequence } from './sequence.ts';

const CLINIC = `
  create table patients (id integer primary key, name text, email text, shoe integer);
  create table visits (id integer primary key, patient_id integer not null references patients on delete cascade, room integer, report text);
  create table treatments (id integer primary key, visit_id integer not null references visits on delete cascade, what text);
  create table messages (id integer primary key, sender integer not null, recipient integer not null, body text);
`;
const personal = { category: 'user.contact.email' };
const plain = { category: 'none', note: 'looked at' };
const subjects = { patient: { table: 'public.patients', key: 'id' } };
const TABLES = {
  'public.patients': { columns: { id: plain, name: personal, email: personal, shoe: plain } },
  'public.visits': { of: { patient: 'patient_id' }, columns: { id: plain, patient_id: plain, room: plain, report: personal } },
  'public.treatments': {
    of: { patient: 'visit_id -> visits.patient_id' },
    columns: { id: plain, visit_id: plain, what: personal },
  },
  'public.messages': {
    of: { patient: ['sender -> patients.id', 'recipient -> patients.id'] },
    columns: { id: plain, sender: plain, recipient: plain, body: personal },
  },
};

for (const server of testServers()) {
  test(`events stand in a signed tree with what they say under the keys of their people on PostgreSQL ${server.name}`, async (t) => {
    const bench = await workbench(t, { setUp: CLINIC, server });
    await bench.capture(TABLES, { subjects });
    await bench.pool.query(`insert into patients values (1, 'Ann', 'a@b.c', 38), (2, 'Bob', 'b@b.c', 44)`);
    await bench.pool.query(`update patients set email = 'x@y.z' where id = 1`);
    await bench.pool.query(`insert into visits values (1, 1, 3, 'fine')`);
    await bench.pool.query(`insert into treatments values (9, 1, 'crown')`);
    await bench.pool.query(`insert into messages values (5, 1, 2, 'hello')`);
    await bench.pool.query(`delete from patients where id = 1`);
    const done = await bench.sequence();
    assert.equal(done.state, 'done');
    assert.equal(done.quarantined, 0);
    const events = await bench.events();
    assert.deepEqual(
      events.map(({ action, table, record, subject, otherSubjects }) => [action, table, record, subject, otherSubjects]),
      [
        ['insert', 'public.patients', '1', 'patient:1', null],
        ['insert', 'public.patients', '2', 'patient:2', null],
        ['update', 'public.patients', '1', 'patient:1', null],
        ['insert', 'public.visits', '1', 'patient:1', null],
        ['insert', 'public.treatments', '9', 'patient:1', null],
        ['insert', 'public.messages', '5', 'patient:1', ['patient:2']],
        ['delete', 'public.patients', '1', 'patient:1', null],
        ['delete', 'public.visits', '1', 'patient:1', null],
        ['delete', 'public.treatments', '9', 'patient:1', null],
      ],
    );
    const [first, , update, , treatment, message] = events;
    assert.ok(first && update && treatment && message);
    assert.deepEqual(await bench.opened(first), [{ record: '1', new: { id: '1', name: 'Ann', email: 'a@b.c' } }]);
    assert.deepEqual(JSON.parse(first.details ?? '')['new'], { shoe: '38' });
    assert.deepEqual(await bench.opened(update), [{ record: '1', old: { email: 'a@b.c' }, new: { email: 'x@y.z' } }]);
    assert.deepEqual((await bench.opened(treatment))[0]?.new, { id: '9', visit_id: '1', what: 'crown' });
    assert.equal((await bench.opened(message)).length, 2);
    const log = await readLog(bench.pool);
    assert.deepEqual(log.faults, []);
    assert.equal(log.size, events.length);
    const { rows } = await bench.pool.query<{ note: string }>('select note from safekeep.audit_checkpoints');
    const checkpoint = openCheckpoint(rows[0]?.note ?? '', { trusted: [bench.sequencer.signer.verifierKey] });
    assert.equal(checkpoint.size, events.length);
    assert.equal(Buffer.from(checkpoint.root).toString('base64'), log.root);
  });
}

test('a call comes to its end while an application writes faster than it can move, and signs what it moved', async (t) => {
  const bench = await workbench(t, { setUp: CLINIC });
  await bench.capture(TABLES, { subjects });
  await bench.pool.query(`insert into patients select n, 'N', 'e', 1 from generate_series(1, 40) as n`);
  const over = new AbortController();
  const writing = (async () => {
    for (let value = 0; !over.signal.aborted; value += 1) await bench.pool.query('update patients set shoe = $1', [value]);
  })();
  const done = await bench.sequence({ batch: 7 });
  over.abort();
  await writing;
  assert.equal(done.state, 'done');
  assert.ok(done.events >= 40, 'all that was there when it began');
  assert.equal(done.logs[0]?.size, done.events);
  await bench.sequence();
  assert.deepEqual((await readLog(bench.pool)).faults, []);
});

test('one that is stopped ends after its batch and signs it', async (t) => {
  const bench = await workbench(t, { setUp: CLINIC });
  await bench.capture(TABLES, { subjects });
  // Changes of one statement come together, so these are forty.
  for (let id = 1; id <= 40; id += 1) await bench.pool.query(`insert into patients values ($1, 'N', 'e', 1)`, [id]);
  const stopped = await sequence({ ...bench.sequencer, batch: 10 }, { signal: AbortSignal.abort() });
  assert.deepEqual([stopped.state, stopped.events, stopped.logs[0]?.size], ['done', 10, 10]);
  assert.equal((await bench.sequence()).events, 30);
});

test('where a key fails in the midst of a batch nothing of it is kept, and the next call moves all', async (t) => {
  const bench = await workbench(t, { setUp: CLINIC });
  await bench.capture(TABLES, { subjects });
  await bench.pool.query(`insert into patients select n, 'N', 'e', 1 from generate_series(1, 2000) as n`);
  const { keys } = bench.sequencer;
  const lapsed = new Error('The lease has ended');
  const failing = {
    ...keys,
    subjectKeys: {
      ...keys.subjectKeys,
      forSealing: async (...asked: Parameters<typeof keys.subjectKeys.forSealing>) => {
        const found = new Map(await keys.subjectKeys.forSealing(...asked));
        const name = 'default/patient:1999/erasable';
        const key = found.get(name);
        assert.ok(key !== undefined && key !== 'erased');
        found.set(name, {
          ...key,
          seal: () => {
            throw lapsed;
          },
        });
        return found;
      },
    },
  };
  await assert.rejects(bench.sequence({ keys: failing }), lapsed);
  assert.deepEqual(await bench.events(), []);
  assert.equal((await bench.sequence()).events, 2000);
  assert.deepEqual((await readLog(bench.pool)).faults, []);
});
