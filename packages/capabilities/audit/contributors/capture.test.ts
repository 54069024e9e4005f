import assert from 'node:assert/strict';
import { test } from 'node:test';
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
