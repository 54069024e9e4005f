import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError, Secret, systemClock } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import { testDatabase } from '@safekeep/postgres/testing';
import { placeHold } from '../../holds/index.ts';
import { planned, sequencerOf } from '../testing/planned.ts';
import { classifyColumns, totalOf } from './classify-columns.ts';
import { classifyColumn, classifyText, type ClassifyOrder } from './classify-text.ts';

const ORDER: ClassifyOrder = {
  tenant: 'default',
  clock: systemClock,
  signal: new AbortController().signal,
  column: 'public.notes.body',
  rowsAtMost: 1000,
};

test('a text is classified by kinds, and nothing of it is given back', () => {
  const found = classifyText('Call Ann Smith at ann@example.org or bob@example.org.');
  assert.equal(found['EMAIL_ADDRESS'], 2);
  assert.doesNotMatch(JSON.stringify(found), /ann|example/i);
});

test('rows of a free text are looked at once, in the order of their keys, and new ones in the next call', async (t) => {
  const { database, pool } = await testDatabase(t, { migrated: true });
  await pool.query(`create table notes (office int, id bigint, body text, primary key (office, id));
    insert into notes select n % 3, n, case when n % 10 = 0 then 'mail me: ann' || n || '@example.org' when n % 7 = 0 then null else 'nothing of note' end from generate_series(1, 450) n`);
  const first = await classifyColumn(database, ORDER);
  assert.deepEqual([first.rows, first.flagged, first.kinds['EMAIL_ADDRESS'], first.done], [450, 45, 45, true]);
  assert.equal((await classifyColumn(database, ORDER)).rows, 0);
  await pool.query(`insert into notes values (9, 1, 'see eve@example.org')`);
  assert.deepEqual([(await classifyColumn(database, ORDER)).rows], [1]);
  const { rows } = await pool.query(
    'select rows_read::int as rows, rows_flagged::int as flagged, kinds, read_to from safekeep.text_findings',
  );
  assert.deepEqual([rows[0].rows, rows[0].flagged, rows[0].kinds.EMAIL_ADDRESS, rows[0].read_to], [451, 46, 46, ['9', '1']]);
  assert.doesNotMatch(JSON.stringify(rows), /example\.org/);
});

test('two workers at the same column count no row twice', async (t) => {
  const { database, pool } = await testDatabase(t, { migrated: true });
  await pool.query(
    `create table notes (id int primary key, body text); insert into notes select n, 'a' || n || '@example.org' from generate_series(1, 500) n`,
  );
  const both = await Promise.all([classifyColumn(database, ORDER), classifyColumn(database, ORDER)]);
  assert.equal(
    both.reduce((sum, { rows }) => sum + rows, 0),
    500,
  );
});

test('a source that fails leaves what was counted as it was', async (t) => {
  const { database, pool } = await testDatabase(t, { migrated: true });
  await pool.query('create table notes (id int primary key, body text)');
  let pages = 0;
  const source: ClassifyOrder['source'] = async () => {
    pages += 1;
    if (pages > 1) throw new Error('the feed is gone');
    return Array.from({ length: 200 }, (_, place) => ({ key: [String(place)], text: 'x@example.org' }));
  };
  await assert.rejects(classifyColumn(database, { ...ORDER, source }), /the feed is gone/);
  const { rows } = await pool.query('select rows_read::int as rows, read_to from safekeep.text_findings');
  assert.deepEqual(rows, [{ rows: 200, read_to: ['199'] }]);
});

test('a column without a key to go on by, or that is not there, is refused', async (t) => {
  const { database, pool } = await testDatabase(t, { migrated: true });
  await pool.query('create table notes (body text); create table keyed (id int primary key)');
  for (const column of ['public.notes.body', 'public.keyed.body', 'public.gone.body'])
    await assert.rejects(classifyColumn(database, { ...ORDER, column }), (error) => isSafekeepError(error, 'text-column-unfit'));
});

test('the key of a row that is gone is not kept, and what takes its place is looked at', async (t) => {
  const { database, pool } = await testDatabase(t, { migrated: true });
  await pool.query(`create table notes (mail text, id int, body text, primary key (mail, id));
    insert into notes values ('ann@example.org', 1, 'a'), ('zoe@example.org', 2, 'b')`);
  const kept = async () => {
    const { rows } = await classifyColumn(database, ORDER);
    return [rows, (await pool.query('select read_to from safekeep.text_findings')).rows[0].read_to];
  };
  assert.deepEqual(await kept(), [2, ['zoe@example.org', '2']]);
  await pool.query(`delete from notes where id = 2`);
  assert.deepEqual(await kept(), [0, ['ann@example.org', '1']]);
  await pool.query(`insert into notes values ('eve@example.org', 3, 'c')`);
  assert.deepEqual(await kept(), [1, ['eve@example.org', '3']]);
  await pool.query('delete from notes');
  assert.deepEqual(await kept(), [0, null]);
});

test('no code of the owner of a type runs while texts are looked at, whatever the types of key and text', async (t) => {
  const { database, pool } = await testDatabase(t, { migrated: true });
  await pool.query(`
    create type colour as enum ('red', 'blue');
    create type remark as (said text);
    create function spill(remark) returns text language plpgsql as $$ begin raise exception 'the cast ran'; end $$;
    create function paint(text) returns colour language plpgsql as $$ begin raise exception 'the cast ran'; end $$;
    create function paint(colour) returns text language plpgsql as $$ begin raise exception 'the cast ran'; end $$;
    create cast (remark as text) with function spill(remark);
    create cast (text as colour) with function paint(text);
    create cast (colour as text) with function paint(colour);
    create table notes (id colour, at timestamptz, body remark, primary key (id, at));
    insert into notes select colour, timestamptz '2026-01-01' + n * interval '1 hour', row ('see ann@example.org')::remark
      from unnest(enum_range(null::colour)) as colour, generate_series(1, 150) n`);
  const first = await classifyColumn(database, ORDER);
  assert.deepEqual([first.rows, first.flagged], [300, 300]);
  await pool.query(`insert into notes values ('blue', '2027-01-01', row ('x'))`);
  assert.equal((await classifyColumn(database, ORDER)).rows, 1);
});

test('a table of which row security hides rows is refused; where only the policies of Safekeep do, its rows are those of the tenant', async (t) => {
  const { database, pool, url } = await testDatabase(t, { migrated: true });
  await pool.query(`
    create table notes (id int primary key, body text); create table mine (id int primary key, body text);
    insert into notes values (1, 'ann@example.org'); insert into mine values (1, 'ann@example.org');
    alter table notes enable row level security; create policy few on notes using (id > 1);
    alter table mine enable row level security; create policy safekeep_base on mine using (true);
    grant select on notes, mine to safekeep_app`);
  const role = `classifier_${Math.trunc(Date.now() % 1e9)}`;
  await pool.query(`create role ${role} login password 'scan' in role safekeep_app`);
  const address = new URL(url.reveal());
  address.username = role;
  address.password = 'scan';
  const weak = await openDatabase(new Secret(address.href), { poolMax: 1 });
  try {
    const { classified, problems } = await classifyColumns(weak, { ...ORDER, columns: ['public.notes.body', 'public.mine.body'] });
    assert.deepEqual([classified.map(({ column, rows }) => [column, rows]), problems.length], [[['public.mine.body', 1]], 1]);
    assert.match(problems[0]?.error.message ?? '', /row security hides rows/);
  } finally {
    await weak.close();
    await pool.query(`drop owned by ${role}; drop role ${role}`);
  }
  assert.equal((await classifyColumn(database, ORDER)).rows, 1);
});

test('with redact what was found is taken out of the rows, and everything else stays to the letter', async (t) => {
  const { database, pool } = await testDatabase(t, { migrated: true });
  await pool.query(`create table notes (id int primary key, body text);
    insert into notes values (1, 'mail ann@example.org'), (2, 'nothing of note'), (3, null), (4, 'x@example.org' || repeat(' ', 100000))`);
  const found = await classifyColumn(database, { ...ORDER, redact: true });
  assert.deepEqual([found.rows, found.flagged, found.redacted], [4, 2, 1]);
  const { rows } = await pool.query('select body from notes order by id');
  assert.doesNotMatch(rows[0].body, /ann@example/);
  assert.deepEqual([rows[1].body, rows[2].body, rows[3].body.slice(0, 13)], ['nothing of note', null, 'x@example.org']);
});

test('a row that was changed since it was read keeps what its writer put there', async (t) => {
  const { database, pool } = await testDatabase(t, { migrated: true });
  await pool.query(`create table notes (id int primary key, body text); insert into notes values (1, 'now bob@example.org')`);
  const source: ClassifyOrder['source'] = async () => [{ key: ['1'], text: 'then ann@example.org' }];
  assert.equal((await classifyColumn(database, { ...ORDER, redact: true, source })).redacted, 0);
  assert.deepEqual((await pool.query('select body from notes')).rows, [{ body: 'now bob@example.org' }]);
});

test('nothing is redacted while a hold stands, nor in what is no text, and the rows count as not read', async (t) => {
  const { database, pool } = await testDatabase(t, { migrated: true });
  await pool.query(`create table notes (id int primary key, body text, papers jsonb);
    insert into notes values (1, 'ann@example.org', '{"a": "ann@example.org"}')`);
  const papers = { ...ORDER, column: 'public.notes.papers', redact: true };
  await assert.rejects(classifyColumn(database, papers), (error) => isSafekeepError(error, 'text-column-unfit'));
  await placeHold(
    database,
    { tenant: 'default', clock: systemClock, subjects: new Map() },
    {
      target: { kind: 'row', table: 'public.notes', key: ['1'] },
      reason: 'claim',
      owner: 'legal',
      reviewBy: '2999-06-30',
      by: 'ann',
    },
  );
  await assert.rejects(classifyColumn(database, { ...ORDER, redact: true }), /a hold stands/);
  assert.deepEqual((await pool.query('select body from notes')).rows, [{ body: 'ann@example.org' }]);
  assert.equal((await pool.query('select from safekeep.text_findings')).rowCount, 0);
});

test('a table that may not be read is told, and the other columns are looked at', async (t) => {
  const { database, pool } = await testDatabase(t, { migrated: true });
  await pool.query(`create table notes (id int primary key, body text); create table loose (body text);
    insert into notes values (1, 'ann@example.org')`);
  const columns = ['public.loose.body', 'public.gone.body', 'public.notes.body'];
  const { classified, problems } = await classifyColumns(database, { ...ORDER, columns });
  assert.deepEqual(
    problems.map(({ column, error }) => [column, error.code]),
    [
      ['public.loose.body', 'text-column-unfit'],
      ['public.gone.body', 'text-column-unfit'],
    ],
  );
  assert.deepEqual(totalOf(classified), { rows: 1, flagged: 1, redacted: 0, unfollowed: 1 });
});

const NOTES = { 'public.notes': { columns: { id: { category: 'system' }, body: { category: 'user.content', free_text: true } } } };

test('rows that changed after they were read, or came behind them, are looked at again as the log tells of them', async (t) => {
  const bench = await planned(t, {
    setUp: `create table notes (office text, id int, body text, seen int, primary key (office, id));
      insert into notes select 'a,b', n, 'nothing of note', 0 from generate_series(10, 300) n`,
  });
  await bench.apply({ tables: NOTES });
  const sequence = await sequencerOf(t, bench);
  const look = async () => {
    await sequence();
    const { rows, flagged, followed, done } = await classifyColumn(bench.database, ORDER);
    assert.deepEqual([followed, done], [true, true]);
    return [rows, flagged];
  };
  assert.deepEqual(await look(), [291, 0]);
  assert.deepEqual(await look(), [0, 0]);
  await bench.pool.query(`
    update notes set body = 'see ann@example.org' where id = 20;
    update notes set seen = 1 where id > 100;
    insert into notes values ('a,b', 1, 'behind: bob@example.org', 0), ('a\\b', 1, 'before all', 0), ('z', 1, 'new: eve@example.org', 0);
    insert into notes values ('a,b', 2, 'gone again: max@example.org', 0); delete from notes where id = 2;
    update notes set body = 'twice' where id = 30; update notes set body = 'twice: joe@example.org' where id = 30`);
  assert.deepEqual(await look(), [5, 4]);
  assert.deepEqual(await look(), [0, 0]);
  const { rows } = await bench.pool.query(
    'select rows_read::int as rows, rows_flagged::int as flagged from safekeep.text_findings',
  );
  assert.deepEqual(rows, [{ rows: 296, flagged: 4 }]);
});

test('what is not sequenced yet waits in the log, also over many events of other tables', async (t) => {
  const bench = await planned(t, {
    setUp: `create table notes (id int primary key, body text); create table others (id int primary key, body text);
      insert into notes values (1, 'nothing'), (2, 'nothing')`,
  });
  await bench.apply({
    tables: {
      ...NOTES,
      'public.others': { columns: { id: { category: 'system' }, body: { category: 'user.content' } } },
    },
  });
  const sequence = await sequencerOf(t, bench);
  const look = async () => (await classifyColumn(bench.database, ORDER)).rows;
  assert.equal(await look(), 2);
  await bench.pool.query(
    `insert into others select n, 'x' from generate_series(1, 21000) n; update notes set body = 'a@example.org'`,
  );
  assert.equal(await look(), 0);
  await sequence();
  assert.equal(await look(), 2);
});

test('all is read again where the log cannot say what changed: it began later, or keys changed', async (t) => {
  const bench = await planned(t, {
    setUp: `create table notes (id int primary key, body text); insert into notes select n, 'nothing' from generate_series(1, 5) n`,
  });
  const sequence = await sequencerOf(t, bench);
  const look = async () => {
    await sequence();
    const { rows, followed } = await classifyColumn(bench.database, ORDER);
    return [rows, followed];
  };
  assert.deepEqual(await look(), [5, false]);
  await bench.pool.query(`update notes set body = 'unseen: a@example.org' where id = 1`);
  assert.deepEqual(await look(), [0, false]);
  await bench.apply({ tables: NOTES });
  assert.deepEqual(await look(), [5, true]);
  await bench.pool.query('update notes set id = 0 where id = 5');
  assert.deepEqual(await look(), [5, true]);
  assert.deepEqual(await look(), [0, true]);
  const { rows } = await bench.pool.query(
    'select rows_read::int as rows, rows_flagged::int as flagged from safekeep.text_findings',
  );
  assert.deepEqual(rows, [{ rows: 5, flagged: 1 }]);
});

test('a change that is redacted comes back through the log once, and is then at rest', async (t) => {
  const bench = await planned(t, {
    setUp: `create table notes (id int primary key, body text); insert into notes values (1, 'x'), (2, 'y')`,
  });
  await bench.apply({ tables: NOTES });
  const sequence = await sequencerOf(t, bench);
  const look = async () => {
    await sequence();
    return (await classifyColumn(bench.database, { ...ORDER, redact: true })).redacted;
  };
  assert.equal(await look(), 0);
  await bench.pool.query(`update notes set body = 'Call Jane Roe, SSN 536-90-4399, jane@example.org' where id = 1`);
  assert.equal(await look(), 1);
  const events = async () => (await bench.pool.query('select from safekeep.audit_events')).rowCount;
  assert.equal(await look(), 0);
  const before = await events();
  assert.deepEqual([await look(), await events()], [0, before]);
  assert.doesNotMatch((await bench.pool.query('select body from notes where id = 1')).rows[0].body, /Roe|4399|jane/);
});

test('a log of another tenant, and one whose person was erased, bring no rows', async (t) => {
  const bench = await planned(t, {
    setUp: `create table notes (id int primary key, body text); insert into notes values (1, 'x')`,
  });
  await bench.apply({ tables: NOTES });
  const sequence = await sequencerOf(t, bench);
  await sequence();
  assert.equal((await classifyColumn(bench.database, ORDER)).rows, 1);
  await bench.pool.query(`update notes set body = 'a@example.org'`);
  await sequence();
  // As an erasure leaves it.
  await bench.pool.query(`update safekeep.audit_events set record = null where action = 'update'`);
  assert.equal((await classifyColumn(bench.database, ORDER)).rows, 0);
  await bench.pool.query(`insert into safekeep.tenants (tenant_id, name) values ('other', 'Other')`);
  assert.deepEqual([(await classifyColumn(bench.database, { ...ORDER, tenant: 'other' })).followed], [false]);
});
