import assert from 'node:assert/strict';
import { test } from 'node:test';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { replayLedger } from './replay-ledger.ts';

const none = { category: 'none' };

function mapWith(columns: object, more: object = {}): object {
  return {
    version: 1,
    tenant: 'fixed',
    subjects: { guest: { table: 'public.guests', key: 'id', ...more } },
    tables: { 'public.guests': { columns: { id: none, ...columns } } },
  };
}

async function replayed(bench: Workbench, also: readonly string[] = []): Promise<readonly (readonly [string, string])[]> {
  const { persons } = await replayLedger(await bench.refresh(), { plan: false, by: 'ann', also });
  return persons.map(({ subject, state }) => [subject, state] as const);
}

const guests = {
  last_name: { category: 'user.name.last' },
  email: { category: 'user.contact.email' },
  phone: { category: 'user.contact.phone_number' },
};

test('after a restore whoever shares the number and the name of an erased person is told and left alone; the person is erased', async (t) => {
  const bench = await workbench(t, {
    schema: `create table guests (id integer primary key, last_name text not null, email text not null, phone text);
      insert into guests values (1, 'Smith', 'ada@example.org', '555 1'), (2, 'Jones', 'jo@example.org', null), (3, 'Poe', 'poe@example.org', '555 3')`,
    map: mapWith(guests, { find_by: ['email', 'phone', 'last_name'], label: 'last_name' }),
  });
  for (const id of [1, 2, 3]) await bench.erase(`guest:${id}`, 'delete');
  // The copy of the database is older than the erasures, and knows nothing of them.
  await bench.pool.query(`delete from safekeep.erasures;
    insert into guests values (1, 'Smith', 'stranger@example.org', null), (2, 'Jones', 'jo@example.org', null), (3, 'Doe', 'doe@example.org', null)`);
  assert.deepEqual(
    await replayed(bench),
    [
      ['guest:1', 'ambiguous'],
      ['guest:2', 'done'],
      ['guest:3', 'ambiguous'],
    ],
    'of the third the name and the address may have changed after the copy was made',
  );
  assert.deepEqual(await bench.rows('guests'), ['(1,Smith,stranger@example.org,)', '(3,Doe,doe@example.org,)']);
  assert.deepEqual(await replayed(bench, ['guest:1']), [
    ['guest:1', 'done'],
    ['guest:3', 'ambiguous'],
  ]);
});

test('a sex or a town that is the same tells nothing; all that is known may, and is asked about', async (t) => {
  const bench = await workbench(t, {
    schema: `create table guests (id integer primary key, sex text, town text); insert into guests values (1, 'f', 'Rome'), (2, 'm', 'Oslo')`,
    map: mapWith({ sex: { category: 'user.demographic.gender' }, town: { category: 'user.contact.address.city' } }),
  });
  for (const id of [1, 2]) await bench.erase(`guest:${id}`, 'delete');
  await bench.pool.query(`delete from safekeep.erasures; insert into guests values (1, 'f', 'Paris'), (2, 'm', 'Oslo')`);
  const { persons } = await replayLedger(await bench.refresh(), { plan: false, by: 'ann' });
  assert.deepEqual(
    persons.map(({ subject, state, doubt }) => [subject, state, doubt?.slice(0, 28)]),
    [
      ['guest:1', 'ambiguous', 'nothing but their key is as '],
      ['guest:2', 'ambiguous', 'some of what is known of the'],
    ],
  );
  assert.equal((await bench.rows('guests')).length, 2);
});

test('who came back by themselves, with everything as it was, is told and not erased unasked', async (t) => {
  const bench = await workbench(t, {
    schema: `create table guests (id text primary key, last_name text not null, email text unique, phone text);
      insert into guests values ('ada', 'Byron', 'ada@example.org', '555 1'), ('ben', 'Cole', 'ben@example.org', '555 2')`,
    map: mapWith(guests, { find_by: ['email'], label: 'last_name' }),
  });
  await bench.erase('guest:ada');
  await bench.erase('guest:ben', 'delete');
  assert.deepEqual(await replayed(bench), []);
  await bench.pool.query(
    `update guests set last_name = 'Byron', email = 'ada@example.org' where id = 'ada'; insert into guests values ('ben', 'Cole', 'ben@example.org', '555 2')`,
  );
  assert.deepEqual(await replayed(bench), [
    ['guest:ada', 'ambiguous'],
    ['guest:ben', 'ambiguous'],
  ]);
  assert.deepEqual(await bench.rows('guests', `last_name <> 'erased'`), [
    '(ada,Byron,ada@example.org,)',
    '(ben,Cole,ben@example.org,"555 2")',
  ]);
  assert.deepEqual(await replayed(bench, ['guest:ada']), [
    ['guest:ada', 'done'],
    ['guest:ben', 'ambiguous'],
  ]);
});

test('what a hold kept is not erased in a copy of the database that does not know the hold', async (t) => {
  const bench = await workbench(t, {
    schema: `create table guests (id integer primary key, last_name text, email text unique, phone text);
      create table visits (id integer primary key, guest_id integer references guests, reason text);
      insert into guests values (1, 'Smith', 'ada@example.org', '555 1'), (2, 'Cole', 'ben@example.org', '555 2');
      insert into visits values (1, 1, 'evidence'), (2, 1, 'old'), (3, 2, 'old')`,
    map: {
      version: 1,
      tenant: 'fixed',
      subjects: { guest: { table: 'public.guests', key: 'id', find_by: ['email'], label: 'last_name' } },
      tables: {
        'public.guests': { columns: { id: none, ...guests } },
        'public.visits': {
          of: { guest: 'guest_id' },
          columns: { id: none, guest_id: none, reason: { category: 'user.content.private' } },
        },
      },
    },
  });
  const [copyOfGuests, copyOfVisits] = [await bench.rows('guests'), await bench.rows('visits')];
  const hold = await bench.hold('public.visits:1');
  for (const subject of ['guest:1', 'guest:2']) await bench.erase(subject);
  await bench.pool
    .query(`set session_replication_role = replica; truncate safekeep.holds, safekeep.erasures cascade; truncate guests cascade;
    insert into guests select (r::guests).* from unnest('{${copyOfGuests.map((row) => JSON.stringify(row)).join()}}'::text[]) as r;
    insert into visits select (r::visits).* from unnest('{${copyOfVisits.map((row) => JSON.stringify(row)).join()}}'::text[]) as r;
    set session_replication_role = origin`);
  const { persons } = await replayLedger(bench.ground, { plan: false, by: 'ann' });
  assert.deepEqual(
    persons.map(({ subject, state, doubt }) => [subject, state, doubt?.includes(hold) ?? null]),
    [
      ['guest:1', 'ambiguous', true],
      ['guest:2', 'done', null],
    ],
  );
  await bench.hold('public.visits:1');
  assert.deepEqual(await replayed(bench, ['guest:1']), [['guest:1', 'held']]);
  assert.deepEqual(await bench.rows('visits', 'reason is not null'), ['(1,1,evidence)']);
});

test('what somebody gave after their erasure is not taken for what a restore brought back: it is asked about', async (t) => {
  const on_erasure = { keep: 'legal_obligation', cite: 'code', until: 'last_seen + 10y' };
  const bench = await workbench(t, {
    schema: `create table guests (id integer primary key, last_name text, email text unique, phone text);
      create table patients (id integer primary key, last_name text, email text unique, last_seen date);
      create table visits (id integer primary key, guest_id integer references guests, patient_id integer references patients, reason text);
      insert into guests values (1, 'Smith', 'ada@example.org', '555 1'); insert into patients values (1, 'Byron', 'b@example.org', '2026-01-01');
      insert into visits values (1, 1, null, 'old'), (2, null, 1, 'old')`,
    map: {
      version: 1,
      tenant: 'fixed',
      subjects: {
        guest: { table: 'public.guests', key: 'id', find_by: ['email'], label: 'last_name' },
        patient: { table: 'public.patients', key: 'id', find_by: ['email'], label: 'last_name' },
      },
      tables: {
        'public.guests': { columns: { id: none, ...guests } },
        'public.patients': { on_erasure, columns: { id: none, last_name: guests.last_name, email: guests.email, last_seen: none } },
        'public.visits': {
          of: { guest: { path: 'guest_id', meaning: 'owns' }, patient: { path: 'patient_id', meaning: 'owns' } },
          columns: { id: none, guest_id: none, patient_id: none, reason: { category: 'user.content.private' } },
        },
      },
    },
  });
  for (const subject of ['guest:1', 'patient:1']) await bench.erase(subject);
  assert.deepEqual(await replayed(bench), []);
  await bench.pool.query(`insert into visits values (50, 1, null, 'new'), (51, null, 1, 'new')`);
  assert.deepEqual(await replayed(bench), [
    ['guest:1', 'ambiguous'],
    ['patient:1', 'ambiguous'],
  ]);
  assert.equal((await bench.rows('visits', `reason = 'new'`)).length, 2);
});
