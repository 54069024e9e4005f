import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { acknowledge } from '../actions/acknowledge.ts';
import { ownersOfLogs } from '../files/last-checkpoint.ts';
import { tampering } from '../testing/tampering.ts';
import { workbench } from '../testing/workbench.ts';
import { keptCheckpoints } from './log-files.ts';

const CLINIC = `
  create table patients (id integer primary key, name text, email text, room integer);
  create table rooms (id integer primary key, size integer);
  insert into patients select n, 'Patient ' || n, 'p' || n || '@secret.example', n % 10 from generate_series(1, 40) as n;
  insert into rooms select n, n from generate_series(1, 9) as n;`;
const personal = { category: 'user.contact.email' };
const plain = { category: 'none', note: 'looked at' };
const PATIENTS = { id: plain, name: personal, email: personal };
const ROOMS = { 'public.rooms': { of: 'none', note: 'x', columns: { id: plain, size: plain } } };
const TABLES = { 'public.patients': { columns: { ...PATIENTS, room: plain } }, ...ROOMS };
const SUBJECTS = { subjects: { patient: { table: 'public.patients', key: 'id' } } };
/** Of every table, as somebody who may write them or the next apply. */
const ORDER = `update safekeep.audit_baselines set is_taken = false, refused_at = null, ordered = gen_random_uuid()`;

async function bench(t: TestContext) {
  const made = await workbench(t, { setUp: CLINIC, baselines: true });
  await made.capture(TABLES, SUBJECTS);
  await made.sequence();
  return { ...made, ...tampering(made) };
}

const UNREADABLE =
  'rows-unreadable public.patients cannot be read as it is captured: a captured column was dropped, renamed or has another type, or this login may not read it. None of its rows was held against the log.';
const ROOM_2 =
  'row-unexplained public.rooms: the row 2 had other values when the baseline of event N was taken, and no event of the log tells of their change.';

for (const change of ['drop column room', 'rename column room to bed'])
  test(`a table that was changed under its capture (${change}) is a fault, and the other tables are still looked at and logged`, async (t) => {
    const { verify, unseen, pool, events, capture, sequencer, home } = await bench(t);
    await unseen(`update rooms set size = 99 where id = 2`);
    await pool.query(`alter table patients ${change}`);
    assert.deepEqual(await verify(), [UNREADABLE, ROOM_2]);
    // An order that waits stops nobody's log.
    await pool.query(ORDER);
    await pool.query(`update rooms set size = 5 where id = 3`);
    assert.deepEqual(await verify(), [UNREADABLE, ROOM_2]);
    assert.equal((await events()).at(-1)?.action, 'update');
    const said = await acknowledge(sequencer, {
      tenant: 'default',
      reason: 'the room is kept elsewhere',
      outside: await keptCheckpoints(home, 'default'),
      owners: await ownersOfLogs(home),
    });
    assert.deepEqual(said.baselines.toSorted(), ['public.patients', 'public.rooms']);
    assert.deepEqual(await verify(), [UNREADABLE], 'of rooms there is a new baseline');
    const now = change.startsWith('rename') ? { ...PATIENTS, bed: plain } : PATIENTS;
    await capture({ 'public.patients': { columns: now }, ...ROOMS }, SUBJECTS);
    assert.deepEqual(await verify(), []);
    await unseen(`update patients set name = 'x' where id = 9`);
    assert.equal((await verify()).length, 1, 'and what stands there is held again');
  });

test('a baseline that cannot be taken leaves the one before, and every event is sequenced', async (t) => {
  const { verify, pool, sequence, events } = await bench(t);
  const before = (await events()).length;
  await pool.query(`create function public.refuse() returns trigger language plpgsql as 'begin raise exception ''full''; end';
    create trigger refuse before insert on safekeep.audit_baseline_marks for each row when (new.table_name = 'public.patients') execute function public.refuse()`);
  await pool.query(ORDER);
  await pool.query(`update rooms set size = 5 where id = 3`);
  assert.equal((await sequence()).state, 'done');
  assert.deepEqual(
    (await events()).slice(before).map(({ action, table }) => [action, table]),
    [
      ['update', 'public.rooms'],
      ['baseline-taken', 'public.rooms'],
    ],
  );
  await pool.query('drop trigger refuse on safekeep.audit_baseline_marks; drop function public.refuse()');
  assert.deepEqual(await verify(), [], 'the one before stands');
  await pool.query(ORDER);
  await sequence();
  assert.deepEqual((await events()).at(-2)?.table, 'public.patients', 'and the next order takes it');
  assert.deepEqual(await verify(), []);
});
