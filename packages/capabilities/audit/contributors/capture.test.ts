import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { testServers } from '@safekeep/postgres/testing';
import { readUnsequenced } from '../store/inbox.ts';
import { workbench } from '../testing/workbench.ts';

const CLINIC = `
  create table patients (id integer primary key, name text, email text, born date, at timestamptz default now(), note text);
  create table visits (id integer primary key, patient_id integer not null references patients on delete cascade, room integer, report text);
  create table letters (a integer, b text, body text, primary key (a, b));
  create table notes (patient_id integer, body text);
`;

const personal = { category: 'user.contact.email' };
const plain = { category: 'none', note: 'looked at' };
const subjects = { patient: { table: 'public.patients', key: 'id' } };

for (const server of testServers()) {
  test(`changes of mapped tables reach an inbox with what changed on PostgreSQL ${server.name}`, async (t) => {
    const bench = await workbench(t, { setUp: CLINIC, server });
    const tables = {
      'public.patients': {
        audit: { writes: true },
        columns: { id: plain, name: personal, email: personal, born: personal, at: plain, note: personal },
      },
      'public.visits': {
        of: { patient: 'patient_id' },
        audit: { writes: true },
        columns: { id: plain, patient_id: plain, room: plain, report: personal },
      },
      'public.letters': { of: 'none', note: 'x', audit: { writes: true }, columns: { a: plain, b: plain, body: personal } },
      'public.notes': { of: { patient: 'patient_id' }, audit: { writes: true }, columns: { patient_id: plain, body: personal } },
    };
    const before = await bench.fingerprint();
    const intent = bench.intent(tables, { subjects });
    const applied = await bench.apply(intent);
    assert.equal(applied.steps.length, 4);
    assert.deepEqual((await bench.status(intent)).drift, []);
    assert.deepEqual((await bench.plan(intent)).steps, []);

    await bench.pool.query(`insert into patients (id, name, email) values (1, 'Ann', 'a@b.c'), (2, 'Bob', null)`);
    await bench.pool.query(
      `begin; select safekeep.set_actor('user:7', 'treatment', 'r-1'); update patients set email = 'x@y.z' where id = 1; commit`,
    );
    await bench.pool.query(`update patients set email = email`);
    await bench.pool.query(`insert into visits values (1, 1, 3, 'ok'), (2, 1, 4, 'ok')`);
    await bench.pool.query(`insert into letters values (1, 'a,b', 'hello')`);
    await bench.pool.query(`insert into notes values (2, 'free')`);
    await bench.pool.query(`delete from patients where id = 1`);
    await bench.pool.query(`truncate letters`);
    const rows = await bench.database.withClient((client) => readUnsequenced(client, 100));
    assert.deepEqual(
      rows.map(({ action, table, record, links, actor }) => [action, table, record, links, actor]),
      [
        ['insert', 'public.patients', '1', ['1'], null],
        ['insert', 'public.patients', '2', ['2'], null],
        ['update', 'public.patients', '1', ['1'], 'user:7'],
        ['insert', 'public.visits', '1', ['1'], null],
        ['insert', 'public.visits', '2', ['1'], null],
        ['insert', 'public.letters', '1,a\\,b', null, null],
        ['insert', 'public.notes', null, ['2'], null],
        ['delete', 'public.patients', '1', ['1'], null],
        ['delete', 'public.visits', '1', ['1'], null],
        ['delete', 'public.visits', '2', ['1'], null],
        ['truncate', 'public.letters', null, null, null],
      ],
    );
    assert.deepEqual([rows[2]?.old, rows[2]?.new], [{ email: 'a@b.c' }, { email: 'x@y.z' }]);
    assert.deepEqual(rows[6]?.new, { patient_id: '2', body: 'free' });
    assert.equal(rows[7]?.old?.['email'], 'x@y.z');
    assert.deepEqual(JSON.parse(rows[10]?.own ?? ''), { details: { rows: '1' } });

    await bench.pool.query('alter table patients rename column email to mail');
    await bench.pool.query(`update patients set mail = 'new' where id = 2`);
    await bench.pool.query('alter table patients rename to persons');
    await bench.pool.query(`delete from persons`);
    await bench.unapply();
    await bench.pool.query('alter table persons rename to patients');
    await bench.pool.query('alter table patients rename column mail to email');
    assert.deepEqual(await bench.fingerprint(), before);
  });
}

for (const server of testServers()) {
  test(`rows before and after a statement are paired by their key, also where it moves, on PostgreSQL ${server.name}`, async (t) => {
    const setUp = `create table things (id integer primary key, v text);
      create function push() returns trigger language plpgsql as 'begin new.id := new.id + 1000; return new; end';`;
    const bench = await workbench(t, { setUp, server });
    const tables = { 'public.things': { of: 'none', note: 'x', audit: { writes: true }, columns: { id: plain, v: plain } } };
    await bench.apply(bench.intent(tables));
    // What a caller puts in front of pg_catalog must not be found by the capture.
    await bench.pool.query(
      `create schema hostile; create function hostile.array_agg(anyarray) returns text[] language sql as 'select null::text[]'`,
    );
    const changes = async (statement: string): Promise<readonly object[]> => {
      const before = new Set((await read()).map(({ orderNo }) => orderNo));
      await bench.pool.query(`begin; set local search_path = hostile, pg_catalog, public; ${statement}; commit`);
      return (await read())
        .filter(({ orderNo }) => !before.has(orderNo))
        .map(({ action, record, newRecord, old, new: made }) => ({ action, record, newRecord, old, made }));
    };
    const read = () => bench.database.withClient((client) => readUnsequenced(client, 10_000));

    await changes(`insert into things select n, 'v' || n from generate_series(1, 600) as n`);
    const all = await changes(`update things set v = v || '!' where id <= 520`);
    assert.equal(all.length, 520);
    assert.deepEqual(
      all.find((change) => 'record' in change && change.record === '300'),
      { action: 'update', record: '300', newRecord: null, old: { v: 'v300' }, made: { v: 'v300!' } },
    );
    assert.deepEqual(await changes(`update things set v = v where id = 1`), []);
    assert.deepEqual(await changes(`update things set id = 2000, v = null where id = 1`), [
      { action: 'update', record: '1', newRecord: '2000', old: { id: '1', v: 'v1!' }, made: { id: '2000', v: null } },
    ]);
    const swapped = await changes(`update things set id = case id when 599 then 3000 else 3001 end where id in (599, 600)`);
    const counted = (action: string): number => swapped.filter((change) => 'action' in change && change.action === action).length;
    assert.deepEqual([swapped.length, counted('delete'), counted('insert')], [4, 2, 2]);
    await bench.pool.query('create trigger push before update on things for each row execute function push()');
    assert.deepEqual(await changes(`update things set v = 'w' where id = 2`), [
      { action: 'update', record: '2', newRecord: '1002', old: { id: '2', v: 'v2!' }, made: { id: '1002', v: 'w' } },
    ]);
  });
}

for (const server of testServers()) {
  test(`a change that comes alone says the same as one among many, on PostgreSQL ${server.name}`, async (t) => {
    const setUp = `create type mood as enum ('so, so', 'bad'); create domain short as text check (length(value) < 9);
      create table things (id integer primary key, v text, c char(5), b boolean, i inet, n numeric(6,2), m mood, s short, u uuid, j json, k jsonb, l text[], d date, at timestamptz, y bytea, f real, __proto__ text)`;
    const bench = await workbench(t, { setUp, server });
    const names = 'id v c b i n m s u j k l d at y f __proto__'.split(' ');
    const columns = Object.fromEntries(names.map((name) => [name, plain]));
    await bench.apply(bench.intent({ 'public.things': { of: 'none', note: 'x', columns } }));
    const odd = `v = E'a "b" \\\\ (c),;:1''\\n', c = 'x', b = false, i = '10.0.0.1', n = 1.50, m = 'so, so', s = '', u = '00000000-0000-4000-8000-000000000000', j = '{"a" : 1}', k = '{"a" : 1}',
      l = '{a,"b,c",NULL}', d = '2026-01-02', at = '2026-01-02 03:04:05+00', y = '\\xdead', f = 0.1, __proto__ = 'own'`;
    const changes = async (statement: string): Promise<readonly object[]> => {
      await bench.pool.query('truncate safekeep.audit_inbox_even, safekeep.audit_inbox_odd');
      await bench.pool.query(`begin; set local datestyle = 'German'; set local timezone = 'Asia/Kolkata'; ${statement}; commit`);
      const rows = await bench.database.withClient((client) => readUnsequenced(client, 100));
      return rows.map(({ action, old, new: made }) => ({ action, old: old && { ...old, id: 0 }, new: made }));
    };
    const made = `update things set ${odd}`;
    const cases = [
      ['', made],
      [made, 'update things set v = null, n = 1.5'],
      [made, 'delete from things'],
    ] as const;
    for (const [before, statement] of cases) {
      await bench.pool.query(`truncate things; insert into things (id) values (1), (2); ${before}`);
      const many = await changes(statement);
      await bench.pool.query(`truncate things; insert into things (id) values (1); ${before}`);
      assert.equal(many.length, 2, statement);
      assert.deepEqual(await changes(statement), [many[0]], statement);
    }
    // What is large comes as among many: whole rows would hold what did not change too.
    await bench.pool.query(`truncate things; insert into things (id, v) values (1, repeat('x', 9000))`);
    const [large] = await changes(`update things set b = true`);
    assert.deepEqual(large, { action: 'update', old: { id: 0, b: null }, new: { b: 'true' } });
  });
}

for (const server of testServers()) {
  test(`many changes of one statement are each told by their own key, on PostgreSQL ${server.name}`, async (t) => {
    const setUp = `create table named (k text primary key, of text, v text); create table pairs (a integer, b integer, primary key (a, b))`;
    const bench = await workbench(t, { setUp, server });
    const one = { of: 'none', note: 'x', columns: { k: plain, of: plain, v: plain } };
    const two = { of: 'none', note: 'x', columns: { a: plain, b: plain } };
    await bench.apply(bench.intent({ 'public.named': one, 'public.pairs': two }));
    const changes = async (statement: string) => {
      await bench.pool.query('truncate safekeep.audit_inbox_even, safekeep.audit_inbox_odd');
      await bench.pool.query(statement);
      const rows = await bench.database.withClient((client) => readUnsequenced(client, 1000));
      return rows.map(({ action, record, old, new: made }) => ({ action, record, old, made }));
    };
    const keys = ['plain', 'a,b', 'c\\d', "it's; :1'x", 'NULL', '', "E'\\'"];
    const record = (key: string): string => key.replaceAll('\\', '\\\\').replaceAll(',', '\\,');
    const list = keys.map((key) => pg.escapeLiteral(key)).join(', ');
    const inserted = await changes(`insert into named select k, null, 'v' from unnest(array[${list}]) as k`);
    assert.deepEqual(inserted.map((change) => change.record ?? '').toSorted(), keys.map(record).toSorted());
    // Large ones go by themselves, what stayed is not told of.
    const updated = await changes(`update named set of = k, v = case k when 'plain' then repeat('x', 3000) else v end`);
    const expected = keys.map((key) => ({
      action: 'update',
      record: record(key),
      old: key === 'plain' ? { of: null, v: 'v' } : { of: null },
      made: key === 'plain' ? { of: key, v: 'x'.repeat(3000) } : { of: key },
    }));
    const byRecord = (a: { record: string | null }, b: { record: string | null }): number =>
      (a.record ?? '').localeCompare(b.record ?? '');
    assert.deepEqual(updated.toSorted(byRecord), expected.toSorted(byRecord));
    assert.equal((await changes(`insert into pairs select n, n from generate_series(1, 600) as n`)).length, 600);
    assert.deepEqual(await changes('update pairs set a = a'), []);
    const moved = await changes('update pairs set b = 0 where a < 3');
    assert.deepEqual(moved.map((change) => `${change.action} ${change.record}`).toSorted(), [
      'delete 1,1',
      'delete 2,2',
      'insert 1,0',
      'insert 2,0',
    ]);
  });
}

test('what the log cannot say of a table without a key, or with children that the map does not capture, is told by the plan', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table keyless (v text); create table indexed (v text, unique (v)); create table keyed (v text not null unique);
      create table parent (id integer primary key, v text); create table child () inherits (parent); create table known () inherits (parent)`,
  });
  const one = { of: 'none', note: 'x', columns: { v: plain } };
  const two = { of: 'none', note: 'x', columns: { id: plain, v: plain } };
  const tables = { 'public.keyless': one, 'public.indexed': one, 'public.keyed': one, 'public.parent': two, 'public.known': two };
  const { notes } = await bench.plan(bench.intent(tables));
  const told = notes.map(({ target, text }) => `${target} ${text}`).toSorted();
  assert.equal(told.length, 4);
  for (const name of ['indexed', 'keyless'])
    assert.ok(
      told.some((note) =>
        note.startsWith(`public.${name} It has no key: its changes are captured, but there is no history of one row`),
      ),
    );
  assert.ok(told.some((note) => note.startsWith('public.known It has no key')));
  const children =
    'public.parent Its triggers tell of its own rows alone: changes of public.child, which inherit from it, are in no log';
  assert.ok(told.some((note) => note.startsWith(children)));
  await bench.capture(tables);
  const { pool } = bench;
  await pool.query(`insert into parent values (1, 'a'), (9, 'i'); insert into known values (2, 'b'); insert into child values (3, 'c'); insert into keyless values ('k');
    update parent set v = 'changed'; delete from parent where id > 1`);
  await bench.sequence();
  assert.deepEqual((await bench.verify()).faults, []);
  const events = (await bench.events()).filter(({ table }) => table !== 'public.keyless');
  assert.deepEqual(
    events.map(({ action, table, record }) => `${action} ${table} ${record ?? '-'}`).toSorted(),
    [
      'delete public.known -',
      'delete public.parent 9',
      'insert public.known -',
      'insert public.parent 1',
      'insert public.parent 9',
      'update public.known -',
      'update public.parent 1',
      'update public.parent 9',
    ],
    'each once',
  );
  await pool.query(`insert into known values (1, 'a key of the parent'); insert into child values (1, 'this too')`);
  await bench.sequence();
  assert.deepEqual((await bench.verify()).faults, []);
  await pool.query(`begin; set local session_replication_role = replica; update only parent set v = 'unseen'; commit`);
  assert.deepEqual(
    (await bench.verify()).faults.map(({ code }) => code),
    ['row-unexplained'],
  );
});
