import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { testServers } from '@safekeep/postgres/testing';
import { logHealth } from '../actions/log-health.ts';
import { beginErasure, drainBeforeErasure, forget } from '../actions/erase-subject.ts';
import { endAllBaselines } from '../actions/take-baselines.ts';
import { sequence as sequenceAll, type SequencerGround } from '../actions/sequence.ts';
import { dropOldPartitions } from '../actions/partitions.ts';
import { acknowledge } from '../actions/acknowledge.ts';
import { ownersOfLogs } from '../files/last-checkpoint.ts';
import { tampering } from '../testing/tampering.ts';
import { workbench } from '../testing/workbench.ts';
import { keptCheckpoints } from './log-files.ts';

const CLINIC = `
  create table patients (id integer primary key, name text, email text, room integer);
  create table letters (a integer, b text, body text, primary key (a, b));
  create table notes (author integer, body text);
  insert into patients select n, 'Patient ' || n, 'p' || n || '@secret.example', n % 10 from generate_series(1, 40) as n;
  insert into letters select n, 'l,' || n, repeat('long ', n * 20) from generate_series(1, 40) as n;
  insert into notes select n % 5, 'note ' || n from generate_series(1, 40) as n;`;
const personal = { category: 'user.contact.email' };
const plain = { category: 'none', note: 'looked at' };
const TABLES = {
  'public.patients': { columns: { id: plain, name: personal, email: personal, room: plain } },
  'public.letters': { of: 'none', note: 'x', columns: { a: plain, b: plain, body: plain } },
  'public.notes': { of: { patient: 'author' }, columns: { author: plain, body: personal } },
};
const SUBJECTS = { subjects: { patient: { table: 'public.patients', key: 'id' } } };

async function bench(
  t: TestContext,
  options: { readonly before?: string; readonly server?: ReturnType<typeof testServers>[number] } = {},
) {
  const made = await workbench(t, {
    setUp: `${CLINIC}${options.before ?? ''}`,
    baselines: true,
    ...(options.server && { server: options.server }),
  });
  await made.capture(TABLES, SUBJECTS);
  await made.sequence();
  const { verify, unseen } = tampering(made);
  /** Answers how many rows did not hold before. `rows`: what a traversal finds of patients. */
  const erase = async (subject: string, sql: string, { tenant = 'default', rows = [] as readonly string[] } = {}) => {
    await drainBeforeErasure(made.sequencer);
    return await made.database.withClient(async (client) => {
      await client.query('begin');
      const touched = new Map([['public.patients', rows.map((row) => [row])]]);
      const unexplained = await beginErasure(client, made.sequencer, { tenant, subject, rows: touched });
      await client.query(sql);
      await forget(client, made.sequencer, { tenant, subject });
      await client.query('commit');
      return unexplained;
    });
  };
  return { ...made, made, verify, unseen, erase };
}

/** As `unapply` does first. */
async function sequencerEnd(ground: SequencerGround): Promise<void> {
  await sequenceAll(ground, { atEnd: (client) => endAllBaselines(client, ground, 'default') });
}

const THEN = 'when the baseline of event N was taken';
const SINCE = 'since the baseline of event N was taken';

test('rows that never had an event: each edit, deletion and insertion with triggers off is found and named, on every server', async (t) => {
  for (const server of testServers()) {
    const { verify, unseen, pool, made } = await bench(t, { server });
    assert.deepEqual(await verify(), []);
    await pool.query(['patients', 'letters', 'notes'].map((table) => `create table saved_${table} as table ${table}`).join('; '));
    const attacks: readonly (readonly [string, readonly string[]])[] = [
      [
        `update patients set email = 'x@y.z' where id = 7`,
        [`row-unexplained public.patients: the row 7 had other values ${THEN}, and no event of the log tells of their change.`],
      ],
      [
        `delete from patients where id = 7`,
        [`row-unexplained public.patients: the row 7 stood there ${THEN}, is not there any more, and the log has no event of it.`],
      ],
      [
        `insert into patients values (77, 'planted')`,
        [`row-unexplained public.patients: the row 77 was not there ${THEN}, and the log has no event that brought it.`],
      ],
      [
        `update patients set id = 78 where id = 7`,
        [
          `row-unexplained public.patients: the row 78 was not there ${THEN}, and the log has no event that brought it.`,
          `row-unexplained public.patients: the row 7 stood there ${THEN}, is not there any more, and the log has no event of it.`,
        ],
      ],
      [
        `update letters set body = body || ' ' where a = 40`,
        [
          `row-unexplained public.letters: the row 40,l\\,40 had other values ${THEN}, and no event of the log tells of their change.`,
        ],
      ],
      [
        `delete from letters where a = 3`,
        [
          `row-unexplained public.letters: a row whose key nobody can tell stood there ${THEN}, is not there any more, and the log has no event of it. A backup from then has it.`,
        ],
      ],
      [
        `delete from notes where body = 'note 3'`,
        [`row-unexplained public.notes has 39 row(s), and by the log it should have 40: rows came or went unseen ${SINCE}.`],
      ],
      [
        `update notes set body = 'I owe you' where body = 'note 3'`,
        [
          `row-unexplained public.notes: its rows, which have no key, are not those that the log explains: one was changed unseen ${SINCE}.`,
        ],
      ],
    ];
    // The rows are older than the capture again.
    const restore = `truncate patients, letters, notes; insert into patients table saved_patients; insert into letters table saved_letters; insert into notes table saved_notes; update safekeep.audit_captures set definition = definition`;
    for (const [attack, told] of attacks) {
      await unseen(attack);
      assert.deepEqual(await verify(), told, attack);
      await unseen(restore);
    }
    await unseen(restore);
    assert.deepEqual(await verify(), []);
    await pool.query(`update safekeep.audit_captures set definition = definition`);
    await unseen(`update patients set name = 'for an hour' where id = 9`);
    await unseen(`update patients set name = 'Patient 9' where id = 9`);
    assert.deepEqual(await verify(), [], 'what was taken back is told, and nothing is wrong with the row');
    assert.deepEqual(
      (await made.verify()).notes.map((note) => note.replaceAll(/event \d+/g, 'event N')),
      [
        `public.patients: the row 9 was written since capture began, and the log has no event of it. It holds what it held ${THEN}: it was written without a change, or with one that was taken back unseen.`,
      ],
    );
  }
});

test('a column that no event tells of, in a row that has some, and a row that was planted and then honestly changed', async (t) => {
  const { verify, unseen, pool } = await bench(t);
  await pool.query(
    `update patients set room = 3 where id in (1, 2, 3); update patients set id = 50 where id = 4; delete from patients where id = 5`,
  );
  await unseen(`insert into patients values (60, 'planted', null, 1); delete from patients where id = 6`);
  await pool.query(
    `update patients set room = 9 where id = 60; insert into patients values (6, 'Patient 6', 'p6@secret.example', 6)`,
  );
  await unseen(`update patients set email = 'x@y.z' where id = 2`);
  assert.deepEqual(await verify(), [
    `row-unexplained public.patients: the row 2 had other values ${THEN}, and no event of the log tells of their change.`,
    `row-unexplained public.patients: the row 6 was there ${THEN}, and the log has it as inserted later and not as deleted before.`,
    `row-unexplained public.patients: the row 60 was not there ${THEN}, and the log has no event that brought it.`,
  ]);
});

test('honest work on rows that stood before capture is no fault: changes, keys, TRUNCATE, new and renamed columns, large values', async (t) => {
  const { verify, pool, capture } = await bench(t);
  await pool.query(`update patients set email = 'new' || id where id < 10; update patients set id = id + 100 where id = 11; update patients set id = id + 200 where id in (12, 13);
    delete from patients where id = 14; insert into patients values (14, 'again', null, 1), (99, 'new', null, null); update patients set name = 'twice' where id = 14;
    update letters set body = repeat('x', 700000) where a = 1; update letters set b = 'other' where a = 2; delete from letters where a = 3;
    insert into notes values (1, 'new'); update notes set body = 'changed' where body = 'note 1'; delete from notes where body = 'note 2'`);
  assert.deepEqual(await verify(), []);
  await pool.query(
    `alter table patients add column phone text default 'none'; alter table notes add column at date default '2026-01-01'`,
  );
  assert.deepEqual(await verify(), []);
  await pool.query(`update patients set phone = '1' where id = 1; insert into notes values (3, 'n')`);
  await pool.query('vacuum full letters');
  assert.deepEqual(await verify(), []);
  await capture(
    {
      ...TABLES,
      'public.patients': { columns: { ...TABLES['public.patients'].columns, phone: personal } },
      'public.notes': { ...TABLES['public.notes'], columns: { ...TABLES['public.notes'].columns, at: plain } },
    },
    SUBJECTS,
  );
  assert.deepEqual(await verify(), []);
  await pool.query(`alter table patients rename column phone to mobile`);
  await capture(
    {
      ...TABLES,
      'public.patients': { columns: { ...TABLES['public.patients'].columns, mobile: personal } },
      'public.notes': { ...TABLES['public.notes'], columns: { ...TABLES['public.notes'].columns, at: plain } },
    },
    SUBJECTS,
  );
  assert.deepEqual(await verify(), []);
  await pool.query(
    `update patients set mobile = '2' where id = 2; truncate letters, notes; insert into letters values (1, 'b', 'after'); insert into notes values (1, 'after')`,
  );
  assert.deepEqual(await verify(), []);
});

test('the baseline itself: edited, deleted, or taken anew by somebody who has the database alone', async (t) => {
  const { verify, unseen, pool, sequence, events, home, sequencer } = await bench(t);
  assert.deepEqual(await verify(), []);
  await unseen(`update patients set email = 'x@y.z' where id = 7`);
  const found = [
    `row-unexplained public.patients: the row 7 had other values ${THEN}, and no event of the log tells of their change.`,
  ];
  assert.deepEqual(await verify(), found);
  const taken = async () => (await events()).filter(({ action }) => action === 'baseline-taken').length;
  const before = await taken();
  // Ordered anew, as apply does: what does not hold is not taken again.
  const order = `update safekeep.audit_baselines set is_taken = false, refused_at = null, ordered = gen_random_uuid()`;
  await pool.query(order);
  assert.deepEqual(await verify(), found);
  assert.equal(await taken(), before + 2, 'of the other tables it was taken');
  await pool.query(
    'create table saved as table safekeep.audit_baseline_marks; create table kept as table safekeep.audit_baselines',
  );
  const mine = `from safekeep.audit_baseline_marks where table_name = 'public.patients'`;
  await pool.query(
    `update safekeep.audit_baseline_marks set marks = set_byte(marks, 9, 255 - get_byte(marks, 9)) where table_name = 'public.patients'`,
  );
  assert.deepEqual(await verify(), [
    `baseline-changed public.patients: the baseline of event N is not what stands in safekeep.audit_baseline_marks.`,
    'row-unexplained public.patients: the row 7 was written since capture began, and the log has no event of it.',
  ]);
  await pool.query(order);
  assert.equal((await verify()).length, 2, 'nor is one taken where the one before is gone');
  await pool.query(`delete ${mine}`);
  assert.deepEqual((await verify())[0], `baseline-missing public.patients: the baseline of event N is not there any more.`);
  await pool.query(`delete from safekeep.audit_baselines where table_name = 'public.patients'`);
  assert.deepEqual((await verify())[0], `baseline-missing public.patients: the baseline of event N is not there any more.`);
  // An event as the home would write it, without the home's key.
  await pool.query(`begin; set local safekeep.tenant = 'default'; select safekeep.record_audit_event(gen_random_uuid(), 'compliance', 'baseline-taken', null, 'public.patients', null,
    (select details || '{"rows": 0, "digest": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}' from safekeep.audit_events where action = 'baseline-taken' and table_name = 'public.patients')); commit`);
  await pool.query(
    `begin; set local safekeep.tenant = 'default'; select safekeep.record_audit_event(gen_random_uuid(), 'compliance', 'baseline-ended', null, 'public.patients', null, '{"mark": "AAAA"}'); commit`,
  );
  await sequence();
  assert.deepEqual((await verify())[0], `baseline-missing public.patients: the baseline of event N is not there any more.`);
  // Put back, all of it holds again but for the edit.
  await pool.query('insert into safekeep.audit_baselines select * from kept on conflict do nothing');
  await pool.query(`insert into safekeep.audit_baseline_marks select * from saved where table_name = 'public.patients'`);
  assert.deepEqual(await verify(), found);
  const said = await acknowledge(sequencer, {
    tenant: 'default',
    reason: 'we looked at it',
    outside: await keptCheckpoints(home, 'default'),
    owners: await ownersOfLogs(home),
  });
  assert.deepEqual(said.baselines, ['public.patients']);
  assert.deepEqual(await verify(), [], 'what somebody answers for is no fault any more');
});

const ORDER = 'update safekeep.audit_baselines set is_taken = false, refused_at = null, ordered = gen_random_uuid()';
/** Says again what the log was told first, as any login of the application can. */
const REPLAY = `begin; set local role safekeep_app; set local safekeep.tenant = 'default';
  select safekeep.record_audit_event(gen_random_uuid(), 'compliance', 'baseline-taken', null, 'public.patients', null,
    (select details from safekeep.audit_events where action = 'baseline-taken' and table_name = 'public.patients' order by leaf_index limit 1)); commit`;

/** The same of all events of a kind. */
const REPLAYED = (action: string) => `begin; set local role safekeep_app; set local safekeep.tenant = 'default';
  select safekeep.record_audit_event(gen_random_uuid(), kind, action, null, table_name, null, details) from safekeep.audit_events where action = '${action}'; commit`;

test('a baseline that is told again is none: not one that was ended, nor one that another has followed', async (t) => {
  const { verify, unseen, pool, sequencer, home } = await bench(t);
  await pool.query(`update patients set email = 'honest' where id = 7`);
  assert.deepEqual(await verify(), []);
  await pool.query(ORDER);
  assert.deepEqual(await verify(), []);
  await pool.query(REPLAY);
  assert.deepEqual(await verify(), [], 'the newest is the newest');
  await unseen(`update patients set email = 'x' where id = 8`);
  assert.equal((await verify()).length, 1);
  await acknowledge(sequencer, {
    tenant: 'default',
    reason: 'known',
    outside: await keptCheckpoints(home, 'default'),
    owners: await ownersOfLogs(home),
  });
  assert.deepEqual(await verify(), []);
  await unseen(
    `update patients set email = 'stolen' where id = 9; delete from patients where id = 10; insert into patients values (90, 'planted')`,
  );
  const found = await verify();
  assert.equal(found.length, 3);
  await pool.query(REPLAY);
  await pool.query(ORDER);
  assert.deepEqual(await verify(), found, 'it is not the one to hold against, and no way to the next');
});

test('an order says when, not of which columns', async (t) => {
  const { verify, unseen, pool } = await bench(t);
  await pool.query(`create table kept as select table_name, shape from safekeep.audit_baselines;
    update safekeep.audit_baselines set shape = jsonb_set(shape, '{columns}', '[]')`);
  await pool.query(ORDER);
  assert.deepEqual(await verify(), []);
  await pool.query(`update safekeep.audit_baselines as b set shape = k.shape from kept as k where k.table_name = b.table_name`);
  await unseen(`update patients set email = 'stolen' where id = 9`);
  assert.deepEqual(await verify(), [
    `row-unexplained public.patients: the row 9 had other values ${THEN}, and no event of the log tells of their change.`,
  ]);
});

test('a baseline that was away while the next one was taken is missed in the chain of them, when it is back', async (t) => {
  const { verify, unseen, pool, sequencer, home } = await bench(t);
  await unseen(`update patients set email = 'stolen' where id = 9; delete from patients where id = 10`);
  const found = await verify();
  assert.equal(found.length, 2);
  await pool.query(
    `create table away as select * from safekeep.audit_events where action = 'baseline-taken' and table_name = 'public.patients'`,
  );
  const away = async (): Promise<void> => {
    await pool.query(`delete from safekeep.audit_events where id in (select id from away);
      delete from safekeep.audit_inbox_even where action = 'baseline-taken'; delete from safekeep.audit_inbox_odd where action = 'baseline-taken'`);
    await pool.query(ORDER);
    assert.match((await verify()).join('\n'), /^entry-missing/m);
    await pool.query('insert into safekeep.audit_events select * from away');
  };
  await away();
  assert.deepEqual(await verify(), found, 'the home knows of it, and takes none after another');
  for (const name of await readdir(join(home, 'audit'))) if (name.endsWith('.baselines')) await rm(join(home, 'audit', name));
  await away();
  const broken = `baseline-changed public.patients: the baseline of event N was not taken after the one that the log has before it: that one was away then, or this one was not held against it.`;
  assert.deepEqual(await verify(), [broken]);
  await pool.query(ORDER);
  assert.deepEqual(await verify(), [broken], 'nor is another taken after it');
  const ground = { outside: await keptCheckpoints(home, 'default'), owners: await ownersOfLogs(home) };
  await acknowledge(sequencer, { tenant: 'default', reason: 'we know who it was', ...ground });
  assert.deepEqual(await verify(), []);
  await unseen(`update patients set email = 'again' where id = 9`);
  assert.equal((await verify()).length, 1, 'and the next one holds');
});

test('marks of rows that somebody else than the sequencer put into an event explain no deletion', async (t) => {
  const { verify, unseen, pool, erase, events } = await bench(t);
  await pool.query(`update patients set name = 'n4' where id = 4`);
  await erase('patient:4', `update public.patients set name = 'erased', email = null where id = 4`);
  assert.deepEqual(await verify(), []);
  await unseen('delete from patients where id in (10, 11)');
  const found = await verify();
  assert.equal(found.length, 2);
  for (const action of ['decrypt', 'truncated', 'insert'])
    await pool.query(
      `insert into safekeep.audit_inbox_even (tenant_id, xid, order_no, at, kind, action, table_name, own)
       select 'default', pg_current_xact_id(), nextval('safekeep.audit_order'), now(), 'change', $1, 'public.patients',
              jsonb_build_object('details', jsonb_build_object('columns', '[]'::jsonb, 'row', encode(substring(m.marks from n * 16 + 1 for 8) || decode(repeat('00', 24), 'hex'), 'base64')))
         from safekeep.audit_baseline_marks as m, generate_series(0, length(m.marks) / 16 - 1) as n where m.table_name = 'public.patients'`,
      [action],
    );
  assert.deepEqual(await verify(), found);
  assert.ok((await events()).every(({ action, details }) => action !== 'decrypt' || details === '{"columns": []}'));
});

test('an erasure is no fault: rows that stood before capture, that were deleted or got another key before it, that it deletes or masks', async (t) => {
  const { verify, unseen, pool, erase } = await bench(t);
  await pool.query(
    `update patients set id = 101 where id = 1; update patients set email = 'late' where id = 101; delete from patients where id = 2`,
  );
  assert.deepEqual(await verify(), []);
  await erase('patient:101', `update public.patients set name = 'erased', email = null where id = 101`);
  await erase('patient:1', '');
  await erase('patient:2', '');
  await erase('patient:3', 'delete from public.patients where id = 3; delete from public.notes where author = 3');
  await erase(
    'patient:4',
    `update public.patients set name = null, email = null where id = 4; update public.notes set body = null where author = 4`,
  );
  assert.deepEqual(await verify(), []);
  await pool.query(`update patients set room = 7 where id in (4, 101); update patients set name = 'back' where id = 4`);
  assert.deepEqual(await verify(), []);
  await unseen(`delete from patients where id in (5, 101); update patients set room = 5 where id = 4`);
  assert.deepEqual(
    (await verify()).map((fault) => fault.replace(/^\S+ public\.patients: /, '')),
    [
      'the row 4 has other values in room than event N left there.',
      'the row of an erased person of which event N said how it stands is gone, and the log has no deletion of it.',
      `the row 5 stood there ${THEN}, is not there any more, and the log has no event of it.`,
    ],
  );
});

test('an erasure makes nothing right that was done unseen before it: it tells, names rows by marks alone, and goes on', async (t) => {
  const { verify, unseen, pool, erase, events, sequencer, home } = await bench(t);
  await pool.query(`update patients set room = 8 where id in (11, 12); update patients set id = 113 where id = 13;
    update patients set id = 114 where id = 14; update patients set id = 214 where id = 114; insert into patients values (50, 'New', 'n', 1)`);
  assert.deepEqual(await verify(), []);
  // A row without events, one with a column of which none tells, one that came from another key by two steps, one that is gone, one that was planted.
  await unseen(`update patients set email = 'x' where id = 7; update patients set email = 'x' where id in (11, 214, 50); delete from patients where id = 12;
    insert into patients values (60, 'planted')`);
  const found = await verify();
  assert.equal(found.length, 6);
  assert.match(found.join(), /row 214 had other values when the baseline of event N was taken and its key was 14/);
  // Honest work that is not in the log yet, and what erasures left.
  await pool.query(
    `update patients set name = 'late', id = 108 where id = 8; insert into patients values (51, 'late', null, 1); delete from patients where id = 9`,
  );
  const masked = (id: number) => `update public.patients set name = null, email = null where id = ${id}`;
  for (const id of [113, 108, 51, 20])
    assert.equal(await erase(`patient:${id}`, masked(id), { rows: [String(id)] }), 0, `row ${id}`);
  assert.equal(await erase('patient:9', ''), 0);
  assert.equal(await erase('patient:20', masked(20), { rows: ['20'] }), 0, 'erased again');
  assert.deepEqual(await verify(), found);
  for (const id of [7, 11, 214, 50]) assert.equal(await erase(`patient:${id}`, masked(id), { rows: [String(id)] }), 1, `row ${id}`);
  assert.equal(await erase('patient:12', ''), 1);
  assert.equal(await erase('patient:60', 'delete from public.patients where id = 60', { rows: ['60'] }), 1);
  const told = (row: string) =>
    `row-unexplained public.patients: ${row} was not as the log had it when its person was erased (event N): it was changed unseen before.`;
  const gone = 'a row that is not there any more';
  const all = [
    told('the row 7'),
    told('the row 11'),
    told('the row 214'),
    told('the row 50'),
    told(gone),
    told(gone),
    `row-unexplained public.patients: the row 12 stood there ${THEN}, is not there any more, and the log has no event of it.`,
  ];
  assert.deepEqual((await verify()).toSorted(), all.toSorted());
  const [event] = (await events()).filter(({ action }) => action === 'rows-unexplained');
  assert.deepEqual([event?.kind, event?.subject, event?.record], ['security', null, null]);
  // Whoever has the database and not the home can say it of no row; nor is it forgotten by the next baseline.
  await pool.query(REPLAYED('rows-unexplained'));
  await pool.query(ORDER);
  assert.deepEqual((await verify()).toSorted(), all.toSorted());
  await acknowledge(sequencer, {
    tenant: 'default',
    reason: 'we know',
    outside: await keptCheckpoints(home, 'default'),
    owners: await ownersOfLogs(home),
  });
  assert.deepEqual(await verify(), []);
  // Without the marks that it would be held against, that is told, whatever is put back afterwards.
  await pool.query(
    `create table away as table safekeep.audit_baseline_marks; delete from safekeep.audit_baseline_marks where table_name = 'public.patients'`,
  );
  await unseen(`update patients set email = 'x' where id = 30`);
  assert.equal(await erase('patient:30', masked(30), { rows: ['30'] }), 1);
  await pool.query(`insert into safekeep.audit_baseline_marks select * from away on conflict do nothing`);
  assert.match((await verify()).join(), /row 30 could not be held against the log when its person was erased/);
});

test('a baseline is taken without the sequencer’s lock, and what is on its way into the log meanwhile is undone in it', async (t) => {
  const made = await workbench(t, { setUp: CLINIC });
  const { pool, sequencer } = made;
  await made.capture(TABLES, SUBJECTS);
  await made.sequence();
  await pool.query(`update patients set email = 'later' where id = 1; delete from patients where id = 2; insert into patients values (3000, 'new', 'n', 1); update patients set room = 9 where id = 3000;
    update notes set body = 'later' where body = 'note 1'; insert into notes values (1, 'new'); delete from notes where body = 'note 2'`);
  const erasing = await pool.connect();
  await erasing.query(
    'begin; lock table safekeep.audit_sequencer in exclusive mode; update safekeep.audit_baselines set is_taken = is_taken',
  );
  assert.equal(await made.takeBaselines(), 3);
  await erasing.query('rollback');
  const orders = `update safekeep.audit_baselines set is_taken = false, refused_at = null, ordered = gen_random_uuid()`;
  await pool.query(orders);
  const { faults, notes } = await (await made.sequence(), made.verify());
  assert.deepEqual([faults, notes], [[], []]);
  // The next ones are held against those, with more on its way; of a row whose key is on its way they wait until it is there.
  await pool.query(
    `update patients set email = 'again' where id = 1; insert into patients values (2, 'back', null, 1); delete from notes where body = 'new'`,
  );
  // As an erasure does, which is about to take values from the baseline that was there before.
  await erasing.query(`begin; update safekeep.audit_baselines set is_taken = is_taken where table_name = 'public.patients'`);
  const taking = made.takeBaselines();
  for (let waits = false; !waits;)
    ({ waits } = (await pool.query<{ waits: boolean }>(`select exists (select from pg_locks where not granted) as waits`))
      .rows[0] ?? { waits: false });
  await erasing.query('commit');
  erasing.release();
  assert.equal(await taking, 3);
  const { verify, unseen } = tampering(made);
  assert.deepEqual(await verify(), []);
  await unseen(`update patients set email = 'x' where id in (1, 7, 3000); delete from notes where body = 'note 9'`);
  assert.equal((await verify()).length, 4);
  // Whoever takes the order away is no better off; and that one is refused is told by doctor.
  await pool.query('delete from safekeep.audit_baselines');
  assert.equal(await made.takeBaselines(), 1);
  assert.equal((await verify()).length, 4);
  assert.match(
    (await logHealth(sequencer.database, 'default')).detail,
    /^the baseline of public\.notes and 1 more table\(s\) could not be taken/,
  );
});

test('what an erased person’s rows held goes from the baseline, and its digest is right all the same', async (t) => {
  const { verify, unseen, pool, erase } = await bench(t);
  const marks = async () =>
    (
      await pool.query<{ marks: Buffer }>(
        `select marks from safekeep.audit_baseline_marks where table_name = 'public.patients' order by part`,
      )
    ).rows;
  const [before] = await marks();
  await erase('patient:7', 'update public.patients set name = null, email = null where id = 7', { rows: ['7'] });
  const [after] = await marks();
  assert.ok(before && after);
  assert.notDeepEqual(after.marks.subarray(0, 16), before.marks.subarray(0, 16), 'another salt');
  const values = ({ marks: all }: { marks: Buffer }) =>
    Array.from({ length: (all.length - 16) / 16 }, (_, n) => all.toString('hex', 24 + 16 * n, 32 + 16 * n));
  assert.deepEqual(values(after).filter((value) => value === '0'.repeat(16)).length, 1);
  assert.equal(values(after).filter((value) => values(before).includes(value)).length, 39);
  assert.deepEqual(await verify(), []);
  await unseen(
    `update safekeep.audit_baseline_marks set marks = '\\x${before.marks.toString('hex')}' where table_name = 'public.patients'`,
  );
  assert.match((await verify()).join(), /^baseline-changed/, 'and what stood there before is no other way to say it');
});

test('a baseline is renewed by the sequencer after months went, ended by unapply, and made again by the next apply', async (t) => {
  const { verify, pool, sequence, capture, unapply, sequencer, unseen } = await bench(t);
  await pool.query(`update patients set room = 77 where id = 1`);
  assert.deepEqual(await verify(), []);
  await sequencerEnd(sequencer);
  await unapply();
  assert.deepEqual((await pool.query('select from safekeep.audit_baseline_marks')).rowCount, 0);
  await unseen(`update patients set email = 'while nobody looked' where id = 8`);
  await capture(TABLES, SUBJECTS);
  await sequence();
  assert.deepEqual(await verify(), []);
  await unseen(`update patients set email = 'seen' where id = 8`);
  assert.deepEqual(await verify(), [
    `row-unexplained public.patients: the row 8 had other values ${THEN}, and no event of the log tells of their change.`,
  ]);
});

test('tables of several tenants, partitioned ones and such with row security have their baselines', async (t) => {
  const { verify, unseen, pool, capture, made } = await bench(t, {
    before: `insert into safekeep.tenants (tenant_id, name) values ('other', 'Other');
      create table shared (id integer primary key, clinic text, v text);
      insert into shared values (1, 'default', 'a'), (2, 'other', 'b'), (3, null, 'c'); alter table shared enable row level security;
      create table parts (id integer, at date, v text, primary key (id, at)) partition by range (at);
      create table parts_1 partition of parts for values from ('2026-01-01') to ('2026-02-01');
      create table parts_2 partition of parts for values from ('2026-02-01') to ('2026-03-01');
      insert into parts select n, '2026-01-20'::date + n, 'v' || n from generate_series(1, 20) as n;`,
  });
  await capture(
    {
      ...TABLES,
      'public.shared': { of: 'none', note: 'x', tenant: { column: 'clinic' }, columns: { id: plain, clinic: plain, v: plain } },
      'public.parts': { of: 'none', note: 'x', columns: { id: plain, at: plain, v: plain } },
    },
    SUBJECTS,
  );
  assert.deepEqual(await verify(), []);
  await pool.query(
    `update shared set v = v || v; update parts set at = at + 15 where id = 1; delete from parts where id = 2; insert into shared values (4, 'other', 'd')`,
  );
  assert.deepEqual(await verify(), []);
  assert.deepEqual((await made.verify('other')).faults, []);
  await unseen(`update shared set v = 'x' where id = 2; delete from parts where id = 5; update parts set v = 'x' where id = 6`);
  assert.deepEqual((await verify()).length, 2);
  assert.equal((await made.verify('other')).faults.length, 1);
});

test('before months go the baselines that rest on them are taken anew, unless their rows do not hold', async (t) => {
  const { verify, unseen, pool, sequencer, sequence, home } = await bench(t);
  await pool.query(
    `update patients set room = 77 where id < 5; delete from patients where id = 5; update notes set body = 'x' where author = 1`,
  );
  await sequence();
  // What is sequenced from now on is of that time: an instant of the log is never earlier than the one before.
  await pool.query(
    `begin; set local role safekeep_owner; select safekeep.make_audit_partition('2098-06-01'); commit; update safekeep.audit_sequencer set moved_at = '2098-06-01'`,
  );
  const clock = { ...sequencer.clock, now: () => new Date('2098-06-15') };
  const drop = () =>
    dropOldPartitions(sequencer.database, { tenant: 'default', keepMonths: 1, clock, markOf: sequencer.keys.markOf, sequence });
  await unseen(`update patients set email = 'x@y.z' where id = 8`);
  await assert.rejects(drop(), { code: 'audit-baseline-refused' });
  assert.equal((await verify()).length, 1, 'and nothing is gone');
  await acknowledge(sequencer, {
    tenant: 'default',
    reason: 'known',
    outside: await keptCheckpoints(home, 'default'),
    owners: await ownersOfLogs(home),
  });
  assert.notDeepEqual((await drop()).dropped, []);
  assert.deepEqual(await verify(), []);
  await unseen(`update patients set room = 78 where id = 2; delete from patients where id = 9`);
  assert.deepEqual(await verify(), [
    `row-unexplained public.patients: the row 2 had other values ${THEN}, and no event of the log tells of their change.`,
    `row-unexplained public.patients: the row 9 stood there ${THEN}, is not there any more, and the log has no event of it.`,
  ]);
});

test('after an erasure in a table without a key it is told that an edit is not seen, and only a word of the home lets the next baseline be taken', async (t) => {
  const { verify, unseen, pool, erase, made, sequencer, home } = await bench(t);
  await erase('patient:3', 'delete from public.notes where author = 3; delete from public.patients where id = 3');
  await unseen(`update notes set body = 'I owe you' where author = 4`);
  const told =
    /^public\.notes has no key, and an erasure took values out of the log since the baseline of event \d+ was taken: its rows are counted/;
  assert.deepEqual(await verify(), []);
  assert.match((await made.verify()).notes.join(), told);
  await pool.query(ORDER);
  assert.deepEqual(await verify(), []);
  assert.match((await made.verify()).notes.join(), told, 'the edit is not made right without a word');
  const said = await acknowledge(sequencer, {
    tenant: 'default',
    reason: 'we looked at the notes',
    outside: await keptCheckpoints(home, 'default'),
    owners: await ownersOfLogs(home),
  });
  assert.deepEqual(said.baselines, ['public.notes']);
  assert.deepEqual(await verify(), []);
  assert.deepEqual((await made.verify()).notes, []);
  await unseen(`update notes set body = 'You owe me' where author = 4`);
  assert.equal((await verify()).length, 1);
});

test('an erasure by a tenant that did not apply the capture of a table of all tenants is no fault, and keeps what the law keeps', async (t) => {
  const { capture, sequence, pool, made, erase } = await bench(t, {
    before: `insert into safekeep.tenants (tenant_id, name) values ('other', 'Other');
      create table shared (id integer primary key, clinic text, v text, n text);
      insert into shared select n, case n % 2 when 0 then 'other' else 'default' end, 'v' || n, 'n' from generate_series(1, 10) as n;
      create table bills (id integer primary key, clinic text, who integer, v text);`,
  });
  const columns = { id: plain, clinic: plain, v: personal, n: personal };
  await capture(
    {
      ...TABLES,
      'public.shared': { tenant: { column: 'clinic' }, columns },
      'public.bills': {
        of: { person: 'who' },
        tenant: { column: 'clinic' },
        on_erasure: { keep: 'legal_obligation', cite: 'tax code' },
        columns: { id: plain, clinic: plain, who: plain, v: personal },
      },
    },
    { subjects: { ...SUBJECTS.subjects, person: { table: 'public.shared', key: 'id' } } },
  );
  await sequence();
  await pool.query(
    `insert into bills values (1, 'other', 2, 'kept'); update shared set v = 'new' where id in (2, 3); update shared set id = 20 where id = 4; delete from shared where id = 6`,
  );
  await sequence();
  const steps: readonly (readonly [string, string, string])[] = [
    ['other', 'person:2', 'update public.shared set v = null where id = 2'],
    ['other', 'person:20', 'delete from public.shared where id = 20'],
    ['other', 'person:4', ''],
    ['other', 'person:6', ''],
    ['default', 'person:3', 'update public.shared set v = null where id = 3'],
  ];
  for (const [tenant, subject, sql] of steps) assert.equal(await erase(subject, sql, { tenant }), 0);
  await sequence();
  assert.deepEqual((await made.verify('other')).faults, []);
  assert.deepEqual((await made.verify('default')).faults, []);
  const { rows } = await pool.query(
    `select subject from safekeep.audit_events where tenant_id = 'other' and table_name = 'public.bills' and action = 'insert'`,
  );
  assert.deepEqual(rows, [{ subject: 'person:2' }], 'the fate of the table is that of its capture, whoever applied it');
});

test('a row that is planted under a key to which one came before the baseline is found', async (t) => {
  const { verify, unseen, pool, sequencer, home } = await bench(t);
  await pool.query('update patients set id = 100 where id = 5');
  assert.deepEqual(await verify(), []);
  await unseen('delete from patients where id = 100');
  assert.equal((await verify()).length, 1);
  await acknowledge(sequencer, {
    tenant: 'default',
    reason: 'it is gone',
    outside: await keptCheckpoints(home, 'default'),
    owners: await ownersOfLogs(home),
  });
  await verify();
  await unseen(`insert into patients values (100, 'planted')`);
  assert.deepEqual(await verify(), [
    `row-unexplained public.patients: the row 100 was not there ${THEN}, and the log has no event that brought it.`,
  ]);
});

test('a key that was changed and changed back is no fault, and lets baselines be renewed', async (t) => {
  const { verify, pool, events } = await bench(t);
  await pool.query('update patients set id = 105 where id = 5; update patients set id = 5 where id = 105');
  await pool.query('update patients set id = 106 where id = 6');
  await pool.query('update patients set room = 3 where id = 106; update patients set id = 6 where id = 106');
  assert.deepEqual(await verify(), []);
  await pool.query(ORDER);
  assert.deepEqual(await verify(), []);
  assert.equal(
    (await events()).filter(({ action, table }) => action === 'baseline-taken' && table === 'public.patients').length,
    2,
  );
});
