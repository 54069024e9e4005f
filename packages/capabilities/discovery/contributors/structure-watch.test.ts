import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { migrateDown, migrateUp } from '@safekeep/postgres';
import { testServers } from '@safekeep/postgres/testing';
import { mapOf, planned, type Planned } from '../testing/planned.ts';
import { structureWatch } from './structure-watch.ts';

const WATCHED = { watch_structure: true };

async function notes({ pool }: Planned): Promise<number> {
  return (await pool.query('select from safekeep.structure_notes')).rowCount ?? 0;
}

for (const server of testServers()) {
  test(`each transaction that changes the structure is noted once, and unapply leaves nothing (PostgreSQL ${server.name})`, async (t) => {
    const bench = await planned(t, { server });
    const { pool } = bench;
    const before = await bench.fingerprint();
    await bench.apply(WATCHED);
    assert.equal((await bench.status(WATCHED)).ok, true);
    assert.deepEqual((await bench.apply(WATCHED)).steps, []);
    await pool.query('delete from safekeep.structure_notes');
    await pool.query(`begin; create table a (id int); savepoint one; alter table a add b text; create view v as select b from a; rollback to one;
      comment on column a.id is 'of a'; commit`);
    assert.equal(await notes(bench), 1);
    await pool.query('begin; create table gone (id int); rollback');
    await pool.query('create temp table passing (id int); insert into a values (1); create index on a (id); drop table passing');
    assert.equal(await notes(bench), 1);
    await pool.query(`set session_replication_role = replica; alter table a add c text; reset session_replication_role`);
    assert.equal(await notes(bench), 2);
    await pool.query('drop table a cascade');
    await bench.unapply();
    assert.equal((await pool.query('select from pg_event_trigger')).rowCount, 0);
    assert.deepEqual(await bench.fingerprint(), before);
  });

  test(`whatever stops a note, the command of the user goes through with a warning (PostgreSQL ${server.name})`, async (t) => {
    const bench = await planned(t, { server });
    await bench.apply(WATCHED);
    const client = await bench.pool.connect();
    try {
      const warnings: string[] = [];
      client.on('notice', ({ message }) => warnings.push(message ?? ''));
      // Of a user without any right to schema safekeep.
      const role = `test_${randomBytes(6).toString('hex')}`;
      await client.query(
        `create role ${role}; grant create, usage on schema public to ${role}; set role ${role}; create table mine (id int)`,
      );
      assert.deepEqual(warnings, []);
      await client.query('reset role; alter table safekeep.structure_notes rename to elsewhere');
      await client.query(`set role ${role}; create table more (id int)`);
      assert.match(warnings.join(), /could not note a change of structure \(42P01\)/);
      await client.query(`reset role; alter table safekeep.elsewhere rename to structure_notes`);
      assert.equal((await client.query('select from mine, more')).rowCount, 0);
      await client.query(`drop owned by ${role} cascade; drop role ${role}`);
    } finally {
      client.release(true);
    }
  });
}

test('a user cannot write notes, nor call what writes them', async (t) => {
  const bench = await planned(t);
  const client = await bench.pool.connect();
  try {
    await client.query('begin; set local role safekeep_app');
    for (const statement of [
      `insert into safekeep.structure_notes values ('*', pg_current_xact_id(), now())`,
      `update safekeep.structure_notes set noted_at = now()`,
      'select safekeep.note_structure()',
    ]) {
      await client.query('savepoint trying');
      await assert.rejects(client.query(statement), /permission denied|trigger functions can only be called as triggers/);
      await client.query('rollback to trying');
    }
    await client.query('rollback');
  } finally {
    client.release(true);
  }
});

test('no more notes are made than say anything', async (t) => {
  const bench = await planned(t);
  await bench.apply(WATCHED);
  await bench.pool.query(`delete from safekeep.structure_notes;
    insert into safekeep.structure_notes select '*', n::text::xid8, now() from generate_series(1, 5000) n`);
  await bench.pool.query('create table one_more (id int)');
  assert.equal(await notes(bench), 5000);
});

test('each tenant has a watch of its own, and one that leaves takes nothing from the others', async (t) => {
  const bench = await planned(t);
  await bench.pool.query(`insert into safekeep.tenants (tenant_id, name) values ('other', 'Other')`);
  await bench.apply(WATCHED);
  await bench.apply(WATCHED, 'other');
  await bench.unapply();
  assert.equal((await bench.pool.query('select from pg_event_trigger')).rowCount, 1);
  await bench.pool.query('delete from safekeep.structure_notes');
  await bench.pool.query('create table noted (id int)');
  assert.equal(await notes(bench), 1);
});

test('where the login may not, plan says that nothing is noted, and one that stands is not given up', async (t) => {
  const bench = await planned(t);
  const { catalog } = await bench.plan(WATCHED);
  const surroundings = {
    map: mapOf(WATCHED).map,
    catalog,
    tenant: 'default',
    allowed: { eventTriggers: false },
    applied: new Map(),
  };
  const { objects, notes: told } = structureWatch(surroundings);
  assert.equal(objects.length, 0);
  assert.match(told[0]?.text ?? '', /not evaluable here.*may not create event triggers/);
  const [wanted] = structureWatch({ ...surroundings, allowed: { eventTriggers: true } }).objects;
  assert.ok(wanted);
  assert.equal(structureWatch({ ...surroundings, applied: new Map([[wanted.id, 'x']]) }).objects.length, 1);
  assert.deepEqual(structureWatch({ ...surroundings, map: mapOf({}).map }), { objects: [], problems: [], notes: [] });
});

test('a watch that is switched off or gone is drift, and apply makes it again', async (t) => {
  const bench = await planned(t);
  await bench.apply(WATCHED);
  const { rows } = await bench.pool.query('select evtname as name from pg_event_trigger');
  for (const [statement, change] of [
    [`alter event trigger ${rows[0].name} disable`, 'disabled'],
    [`drop event trigger ${rows[0].name}`, 'vanished'],
  ]) {
    await bench.pool.query(String(statement));
    assert.deepEqual(
      (await bench.status(WATCHED)).drift.map(({ change: found }) => found),
      [change],
    );
    await bench.apply(WATCHED);
    assert.equal((await bench.status(WATCHED)).ok, true);
  }
});

test('the schema is not taken back under a watch that stands; after unapply it is', async (t) => {
  const bench = await planned(t);
  await bench.apply(WATCHED);
  await assert.rejects(migrateDown(bench.database, { to: '0015' }), (error) => isSafekeepError(error, 'migration-failed'));
  assert.equal((await bench.status(WATCHED)).ok, true);
  await bench.unapply();
  await migrateDown(bench.database, { to: '0015' });
  await migrateUp(bench.database);
});
