import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { testServers } from '@safekeep/postgres/testing';
import { checkSigned } from '../rules/certificate.ts';
import { DIFFICULT, DIFFICULT_MAP, workbench } from '../testing/workbench.ts';
import { findSubjects } from './find-subject.ts';

for (const server of testServers()) {
  test(`a person is anonymised over every difficulty of a schema, and nobody else is touched, on PostgreSQL ${server.name}`, async (t) => {
    const bench = await workbench(t, { schema: DIFFICULT, map: DIFFICULT_MAP, server });
    const others = {
      patients: 'id not in (42, 43)',
      visits: 'patient_id <> 42',
      invoices: 'patient_id <> 42',
      messages: 'sender_id <> 42 and recipient_id <> 42',
      documents: 'patient_id <> 42',
      clicks: 'patient_id <> 42',
      c1: 'id = 3',
    };
    const before = await Promise.all(Object.entries(others).map(([table, where]) => bench.rows(table, where)));
    const plan = await bench.plan('patient:42');
    assert.deepEqual(plan.blocked, []);
    const done = await bench.approve('patient:42', plan.hash);
    assert.equal(done.verified, true);
    const after = await Promise.all(Object.entries(others).map(([table, where]) => bench.rows(table, where)));
    assert.deepEqual(after, before);
    const { rows } = await bench.pool.query(
      'select full_name, email, phone, born::text, sex, code, deleted_at from patients where id = 42',
    );
    assert.equal(rows[0].full_name, 'erased');
    assert.match(rows[0].email, /^[0-9a-f]{24}@erased\.invalid$/);
    assert.deepEqual([rows[0].phone, rows[0].born], [null, '1900-01-01']);
    assert.match(rows[0].code, /^[A-Z]{2}[0-9]{2}$/);
    assert.deepEqual(await bench.rows('messages', 'id in (1, 2, 4)'), [
      '(1,42,43,,"Ben Cole",hello)',
      '(2,43,42,"Ben Cole",,hi)',
      '(4,42,42,,,)',
    ]);
    assert.deepEqual(await bench.rows('c1', 'id < 3'), ['(1,42,2,)', '(2,,1,)'], 'round the circle of three tables');
    assert.equal((await bench.rows('visits_log', 'who is null')).length, 4);
    assert.equal((await bench.rows('patients', 'id = 43 and guardian_id is null')).length, 1, 'the child stays and is detached');
    const certificate: unknown = JSON.parse(await readFile(done.certificate ?? '', 'utf8'));
    assert.deepEqual(checkSigned(certificate, bench.ground.signer.verifierKey).faults, []);
  });
}

test('a person of another tenant with the same number is nobody', async (t) => {
  const bench = await workbench(t, {
    schema: `create table people (org text not null, id bigint not null, name text, email text, primary key (org, id));
      create table orders (org text not null, id bigint primary key, person bigint not null, what text, foreign key (org, person) references people (org, id));
      insert into people values ('default', 1, 'Ada Byron', 'a@example.org'), ('rival', 1, 'Ben Cole', 'b@example.org'), ('rival', 2, 'Cy Dunn', 'a@example.org');
      insert into orders values ('default', 1, 1, 'tea'), ('rival', 2, 1, 'coffee')`,
    map: {
      version: 1,
      tenant: { column: 'org' },
      subjects: { person: { table: 'public.people', key: 'id', find_by: ['email', 'name'], label: 'name' } },
      tables: {
        'public.people': {
          columns: {
            org: { category: 'none' },
            id: { category: 'user.unique_id' },
            name: { category: 'user.name' },
            email: { category: 'user.contact.email' },
          },
        },
        'public.orders': {
          of: { person: '[org, person] -> people.[org, id] -> id' },
          columns: {
            org: { category: 'none' },
            id: { category: 'none' },
            person: { category: 'none' },
            what: { category: 'user.payment' },
          },
        },
      },
    },
  });
  const others = [await bench.rows('people', "org = 'rival'"), await bench.rows('orders', "org = 'rival'")];
  assert.deepEqual(
    (await findSubjects(bench.ground, 'a@example.org', { limit: 5 })).matches.map(({ subject }) => subject),
    ['person:1'],
  );
  await assert.rejects(bench.plan('person:2'), { code: 'subject-unknown' });
  assert.equal((await bench.erase('person:1')).counts['masked'], 2);
  assert.deepEqual([await bench.rows('people', "org = 'rival'"), await bench.rows('orders', "org = 'rival'")], others);
});

test('what is hashed is hashed; where nothing stood nothing stands afterwards', async (t) => {
  const columns = {
    id: { category: 'user.unique_id' },
    name: { category: 'user.name', erase: 'hash' },
    nick: { category: 'user.name.nickname', erase: 'hash' },
  };
  const bench = await workbench(t, {
    schema: "create table people (id bigint primary key, name text, nick text); insert into people values (1, 'Ada', null)",
    map: {
      version: 1,
      tenant: 'fixed',
      subjects: { person: { table: 'public.people', key: 'id', find_by: ['name'], label: 'name' } },
      tables: { 'public.people': { columns } },
    },
  });
  assert.equal((await bench.erase('person:1')).verified, true);
  const { rows } = await bench.pool.query<{ name: string; nick: string | null }>('select name, nick from people');
  assert.match(rows[0]?.name ?? '', /^[0-9a-f]{16,}$/);
  assert.equal(rows[0]?.nick, null);
});

test('personal columns that stay in a masked row stand in the plan and in the certificate, each with its reason', async (t) => {
  const bench = await workbench(t, {
    schema: `create table people (email text primary key, name text, nick text);
      create table orders (id integer primary key, email text not null references people, note text);
      insert into people values ('ada@example.org', 'Ada', 'countess'); insert into orders values (1, 'ada@example.org', 'by the door')`,
    map: {
      version: 1,
      tenant: 'fixed',
      subjects: { person: { table: 'public.people', key: 'email', find_by: ['email'], label: 'name' } },
      tables: {
        'public.people': {
          columns: {
            email: { category: 'user.contact.email' },
            name: { category: 'user.name' },
            nick: { category: 'user.name.nickname', erase: 'keep' },
          },
        },
        'public.orders': {
          of: { person: 'email' },
          columns: { id: { category: 'none' }, email: { category: 'user.contact.email' }, note: { category: 'user.content' } },
        },
      },
    },
  });
  const plan = await bench.plan('person:ada@example.org');
  const columns = ['public.people: email', 'public.people: nick', 'public.orders: email'].toSorted();
  const kept = (lines: readonly { readonly table: string; readonly rows: number; readonly reason: string }[]) =>
    lines.filter(({ rows, reason }) => rows === 1 && reason !== '').map(({ table }) => table);
  assert.deepEqual(kept(plan.kept).toSorted(), columns);
  const done = await bench.approve('person:ada@example.org', plan.hash);
  const { document } = JSON.parse(await readFile(done.certificate ?? '', 'utf8'));
  assert.deepEqual(kept(document.kept).toSorted(), columns);
});
