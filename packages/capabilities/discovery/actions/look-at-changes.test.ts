import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Secret, systemClock } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import { planned } from '../testing/planned.ts';
import { lookAtChanges } from './look-at-changes.ts';

const ORDER = { tenant: 'default', clock: systemClock, signal: new AbortController().signal };

async function watched(t: Parameters<typeof planned>[0]) {
  const bench = await planned(t, { setUp: 'create table customers (id int primary key, email text)' });
  const apply = () => bench.apply({ watch_structure: true });
  const look = async (order: object = {}) => {
    const { reason, columns } = await lookAtChanges(bench.database, { ...ORDER, ...order });
    return [reason, columns.filter(({ fresh }) => fresh).map(({ column }) => column)];
  };
  return { ...bench, apply, look };
}

test('without a watch every run looks', async (t) => {
  const { look, pool } = await watched(t);
  assert.deepEqual(await look(), ['unwatched', ['public.customers.id', 'public.customers.email']]);
  await pool.query('alter table customers add phone text');
  assert.deepEqual(await look(), ['unwatched', ['public.customers.phone']]);
});

test('with a watch a run looks once after each change, and at nothing where there was none', async (t) => {
  const { look, apply, pool } = await watched(t);
  await apply();
  assert.deepEqual(await look(), ['first', ['public.customers.id', 'public.customers.email']]);
  assert.deepEqual(await look(), ['unchanged', []]);
  await pool.query('alter table customers add phone text');
  assert.deepEqual(await look({ schemas: ['nowhere'] }), ['asked', []]);
  assert.deepEqual(await look(), ['noted', ['public.customers.phone']]);
  await pool.query('begin; alter table customers add fax text; rollback; insert into customers values (1)');
  assert.deepEqual(await look(), ['unchanged', []]);
});

test('a change is not missed that was open while a run looked, nor by another tenant', async (t) => {
  const { look, apply, pool } = await watched(t);
  await pool.query(`insert into safekeep.tenants (tenant_id, name) values ('other', 'Other')`);
  await apply();
  await look();
  const client = await pool.connect();
  try {
    await client.query('begin; create table patients (id int, phone text)');
    await pool.query('create table visits (id int)');
    assert.deepEqual(await look(), ['noted', ['public.visits.id']]);
    await client.query('commit');
    assert.deepEqual(await look(), ['noted', ['public.patients.id', 'public.patients.phone']]);
  } finally {
    client.release(true);
  }
  // It has no watch of its own, and none of the looks before were its.
  assert.equal((await look({ tenant: 'other' }))[0], 'unwatched');
});

test('notes are not believed in another cluster, after a week, when there are too many, or while the watch is off', async (t) => {
  const { look, apply, pool } = await watched(t);
  await apply();
  await look();
  const doubts = [
    [`update safekeep.structure_looks set timeline = timeline + 1`, 'other-cluster'],
    [`update safekeep.structure_looks set system_identifier = '1'`, 'other-cluster'],
    [`update safekeep.structure_looks set looked_at = now() - interval '8 days'`, 'long-ago'],
  ];
  for (const [statement, reason] of doubts) {
    assert.equal((await look())[0], 'unchanged');
    await pool.query(String(statement));
    assert.equal((await look())[0], reason);
  }
  await pool.query(
    `insert into safekeep.structure_notes select '*', n::text::xid8, now() from generate_series(1, 5000) n on conflict do nothing`,
  );
  assert.equal((await look())[0], 'many-notes');
  await pool.query(`update safekeep.structure_notes set noted_at = now() - interval '9 days'`);
  assert.deepEqual([(await look())[0], (await look())[0]], ['many-notes', 'unchanged']);
  const { rows } = await pool.query('select evtname as name from pg_event_trigger');
  await pool.query(`alter event trigger ${rows[0].name} disable`);
  assert.equal((await look())[0], 'unwatched');
});

test('a table that may not be read is judged by its names, and looked at once it may', async (t) => {
  const { apply, pool, url } = await watched(t);
  const role = `test_${randomBytes(6).toString('hex')}`;
  await pool.query(`create table letters (id int primary key, what text);
    insert into letters select n, 'p' || n || '@example.org' from generate_series(1, 30) n;
    create role ${role} login password '${role}' in role safekeep_app; grant select on customers to ${role}`);
  await apply();
  const login = new URL(url.reveal());
  [login.username, login.password] = [role, role];
  const database = await openDatabase(new Secret(login.href));
  const categories = async () => {
    const { reason, columns } = await lookAtChanges(database, ORDER);
    return [reason, columns.find(({ column }) => column === 'public.letters.what')?.category];
  };
  try {
    assert.deepEqual(await categories(), ['first', 'none']);
    assert.deepEqual(await categories(), ['first', 'none']);
    await pool.query(`grant select on letters to ${role}`);
    assert.deepEqual(await categories(), ['first', 'user.contact.email']);
    assert.equal((await categories())[0], 'unchanged');
  } finally {
    await database.close();
    await pool.query(`drop owned by ${role}; drop role ${role}`);
  }
});
