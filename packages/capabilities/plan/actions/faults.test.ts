import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type pg from 'pg';
import { isSafekeepError, Secret, type ErrorCode } from '@safekeep/core';
import { openDatabase, strangeOwners } from '@safekeep/postgres';
import { testDatabase, testServers } from '@safekeep/postgres/testing';
import { columnComments } from '../contributors/column-comments.ts';
import { concurrentIndexes, tableComments, wish } from '../testing/contributors.ts';
import { mapEverything, userCatalog, workbench, type Workbench } from '../testing/workbench.ts';
import { applyPlan } from './apply-plan.ts';
import { planDatabase, readStatus } from './plan-database.ts';

const PATIENTS = `create table patients (id integer primary key, name text not null); comment on column patients.name is 'own'`;
const MAP = { 'public.patients': { columns: { id: { category: 'user.unique_id' }, name: { category: 'user.name' } } } };

function refused(code: ErrorCode, ...parts: readonly string[]) {
  return (error: unknown): boolean => {
    assert.ok(isSafekeepError(error, code), String(error));
    for (const part of parts) assert.ok(error.message.includes(part), `${error.message} says "${part}"`);
    return true;
  };
}

/** Nothing of Safekeep stands in the user's schemas, and no record says so. */
async function untouched(bench: Workbench, before: Awaited<ReturnType<Workbench['userState']>>): Promise<void> {
  assert.deepEqual(await bench.userState(), before);
  assert.equal((await bench.pool.query('select from safekeep.applied_objects')).rowCount, 0);
  assert.equal((await bench.pool.query('select from safekeep.apply_baselines')).rowCount, 0);
}

/** Waits until this many sessions wait for a lock. */
async function untilWaiting(pool: pg.Pool, sessions: number): Promise<void> {
  for (let waiting = 0; waiting < sessions;) {
    const { rows } = await pool.query<{ waiting: number }>(
      `select count(*)::integer as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    waiting = rows[0]?.waiting ?? 0;
  }
}

for (const [what, change] of [
  ['renamed', 'alter table patients rename to people'],
  ['dropped', 'drop table patients'],
  ['given another column', 'alter table patients add column phone text'],
  ['replaced by one of the same name', 'alter table patients rename to old; create table patients (id integer, name text)'],
] as const) {
  test(`a table that is ${what} between plan and apply stops the apply before anything is changed`, async (t) => {
    const bench = await workbench(t, { setUp: PATIENTS });
    const intent = bench.intent(MAP);
    const { hash } = await bench.plan(intent);
    await assert.rejects(
      bench.apply(intent, { hash, agree: async () => void (await bench.pool.query(change)) }),
      refused('plan-outdated'),
    );
    await untouched(bench, await bench.userState());
    const late = await bench.apply(intent, { hash }).catch((error: unknown) => error);
    assert.ok(isSafekeepError(late, 'plan-outdated') || isSafekeepError(late, 'plan-blocked'), String(late));
  });
}

test('a map that names what is not there is refused with every place', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  const intent = bench.intent({
    'public.patients': { columns: { phone: { category: 'user.contact' } } },
    'public.nowhere': { columns: { id: { category: 'user' } } },
  });
  assert.equal((await bench.plan(intent)).problems.length, 2);
  await assert.rejects(bench.apply(intent), refused('plan-blocked', 'public.patients.phone', 'public.nowhere'));
});

test('while one apply waits, a second one is refused at once', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  const intent = bench.intent(MAP);
  const user = await bench.pool.connect();
  await user.query('begin; lock table patients in share update exclusive mode');
  const patient = { ...bench.ground, patience: { tries: 1, lockTimeoutMs: 60_000, pauseMs: 1 } };
  const first = applyPlan(patient, { intent, author: 'Ada', agree: async () => undefined });
  await untilWaiting(bench.pool, 1);
  await assert.rejects(bench.apply(intent), refused('apply-running'));
  await user.query('commit');
  user.release();
  assert.equal((await first).steps.length, 2);
  assert.equal((await bench.status(intent)).ok, true);
});

test('a lock that a session of the user holds ends the apply after its tries, with nothing changed', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  const before = await bench.userState();
  const user = await bench.pool.connect();
  await user.query('begin; lock table patients in share update exclusive mode');
  await assert.rejects(bench.apply(bench.intent(MAP)), refused('lock-timeout', 'public.patients', '2 tries'));
  await untouched(bench, before);
  await user.query('rollback');
  user.release();
  assert.equal((await bench.apply(bench.intent(MAP))).steps.length, 2);
});

test('readers and writers of the tables are not stopped while an apply has its locks', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  const user = await bench.pool.connect();
  await user.query('begin; insert into patients values (1, $$x$$)');
  await bench.apply(bench.intent(MAP));
  await user.query('commit');
  user.release();
  assert.equal((await bench.pool.query('select from patients')).rowCount, 1);
});

for (const server of testServers()) {
  test(`an event trigger of the user's that forbids the change stops apply and unapply whole (PostgreSQL ${server.name})`, async (t) => {
    const bench = await workbench(t, { setUp: PATIENTS, server });
    const before = await bench.userState();
    const intent = bench.intent(MAP, [columnComments, tableComments]);
    const forbid = `
      create function public.forbid() returns event_trigger language plpgsql as $$ begin raise exception 'frozen until Monday'; end $$;
      create event trigger frozen on ddl_command_start when tag in ('COMMENT') execute function public.forbid()`;
    const allow = 'drop event trigger frozen; drop function public.forbid()';
    await bench.pool.query(forbid);
    await assert.rejects(bench.apply(intent), refused('apply-failed', 'frozen until Monday', 'Nothing was changed'));
    await bench.pool.query(allow);
    await untouched(bench, before);
    await bench.apply(intent);
    const applied = await bench.userState();
    await bench.pool.query(forbid);
    await assert.rejects(bench.unapply(), refused('apply-failed', 'frozen until Monday', 'Nothing was changed'));
    await bench.pool.query(allow);
    assert.deepEqual(await bench.userState(), applied);
    assert.equal((await bench.unapply()).restored, true);
    assert.deepEqual(await bench.userState(), before);
  });
}

test('a statement_timeout of the login cancels a long step, which is rolled back and told as that', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  const before = await bench.userState();
  const [name] = (await bench.pool.query('select current_database() as name')).rows;
  const slow = wish({
    id: 'slow:1',
    kind: 'slow',
    target: 'public.patients',
    definition: '',
    locks: [],
    probe: { sql: 'select 1 as place', key: [] },
    create: ['comment on table public.patients is $$half$$', 'select pg_sleep(60)'],
    remove: [],
  });
  await bench.pool.query(`alter database ${name.name} set statement_timeout = '1500ms'`);
  const hurried = await bench.open();
  const intent = bench.intent(MAP, [() => ({ objects: [slow], problems: [], notes: [] })]);
  await assert.rejects(
    applyPlan({ ...bench.ground, database: hurried }, { intent, author: 'Ada', agree: async () => undefined }),
    refused('apply-cancelled', 'slow:1', 'Nothing was changed'),
  );
  await untouched(bench, before);
});

test('a step that fails after others were committed tells how far it came, and the same command goes on', async (t) => {
  const bench = await workbench(t, {
    setUp: `${PATIENTS}; create table visits (id integer primary key); create table bad (no_id integer)`,
  });
  const before = await bench.userState();
  const tables = {
    ...MAP,
    'public.visits': { columns: { id: { category: 'user.unique_id' } } },
    'public.bad': { columns: { no_id: { category: 'user.unique_id' } } },
  };
  const intent = bench.intent(tables, [columnComments, concurrentIndexes]);
  const { hash } = await bench.plan(intent);
  await assert.rejects(bench.apply(intent, { hash }), refused('apply-failed', 'create index:public.bad', '4 of 7 steps stand'));
  const half = await bench.status(intent);
  assert.deepEqual([half.drift, half.applied, half.pending.length], [[], 5, 3]);
  await bench.pool.query('alter table bad rename column no_id to id');
  const mended = bench.intent({ ...tables, 'public.bad': { columns: { id: { category: 'user.unique_id' } } } }, [
    columnComments,
    concurrentIndexes,
  ]);
  await bench.apply(mended);
  assert.deepEqual((await bench.status(mended)).pending, []);
  const out = await bench.unapply();
  assert.deepEqual(out.changedSince, ['added: column public.bad.id', 'removed: column public.bad.no_id']);
  await bench.pool.query('alter table bad rename column id to no_id');
  assert.deepEqual(await bench.userState(), before);
});

test('a login that does not own the table is refused before anything is changed', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  const role = `test_${randomBytes(6).toString('hex')}`;
  const owner = `${role}_owner`;
  await bench.pool.query(
    `create role ${role} login password 'x' in role safekeep_owner; grant usage on schema public to ${role};
     create role ${owner}; grant create on schema public to ${owner}; alter table patients owner to ${owner}`,
  );
  const before = await bench.userState();
  const url = new URL(bench.url.reveal());
  url.username = role;
  url.password = 'x';
  const weak = await openDatabase(new Secret(url.href));
  try {
    await assert.rejects(
      applyPlan({ ...bench.ground, database: weak }, { intent: bench.intent(MAP), author: 'Ada', agree: async () => undefined }),
      (error) =>
        isSafekeepError(error, 'privilege-missing') &&
        error.message.includes(
          `the role of ${owner}, who owns 1 of the tables to be changed; connect as ${owner}, or be given it.`,
        ) &&
        error.remedy.endsWith(`GRANT ${owner} TO ${role};`),
    );
    await untouched(bench, before);
    await bench.pool.query(`alter table patients owner to current_user`);
    // Nobody is told to lend the role of a superuser.
    const [superuser] = await weak.withClient((client) => strangeOwners(client));
    assert.match(superuser?.grant ?? '', /^ALTER TABLE public\.patients OWNER TO <a role that is no superuser>/);
  } finally {
    await weak.close();
    await bench.pool.query(`drop owned by ${role}, ${owner}; drop role ${role}; drop role ${owner}`);
  }
});

test('whoever does not agree has nothing changed', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  const before = await bench.userState();
  const no = async () => Promise.reject(new Error('no'));
  await assert.rejects(bench.apply(bench.intent(MAP), { agree: no }), /^Error: no$/);
  await untouched(bench, before);
  assert.equal((await bench.pool.query('select from safekeep.apply_runs')).rowCount, 0);
});

test('plan and status look at a database without Safekeep’s schema and make nothing there', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(PATIENTS);
  const bench = await workbench(t);
  const intent = bench.intent(MAP);
  assert.equal((await planDatabase(database, intent)).steps.length, 2);
  const { ok, pending } = await readStatus(database, intent);
  assert.deepEqual([ok, pending.length], [true, 2]);
  assert.equal((await pool.query(`select from pg_namespace where nspname = 'safekeep'`)).rowCount, 0);
});

const ODD = `
  create table "Patient ""files""" ("Full name" text, "a.b" integer generated always as (1) stored, "it's" text primary key);
  create table no_key (note text);
  create table visits (at date not null, note text) partition by range (at);
  create table visits_2026 partition of visits for values from ('2026-01-01') to ('2027-01-01');
  create view recent as select note from visits;
  create materialized view counted as select count(*) as n from no_key;
  create foreign data wrapper nowhere; create server elsewhere foreign data wrapper nowhere;
  create foreign table far (name text) server elsewhere;
  create table secured (id integer); alter table secured enable row level security, force row level security;
  create policy mine on secured using (id = 1);
  create schema "Zweig.stelle"; create table "Zweig.stelle"."Ü" (ñ text);
  comment on column no_key.note is E'ends in a break\\n'; comment on column far.name is E'looks like ours\\n[safekeep category=x protect=none]';`;

for (const server of testServers()) {
  test(`views, partitions, foreign and keyless tables, row security and odd names are marked and given back (PostgreSQL ${server.name})`, async (t) => {
    const bench = await workbench(t, { setUp: ODD, server });
    const before = await bench.userState();
    const tables = {
      ...mapEverything(await userCatalog(bench.pool)),
      'public.recent': { columns: { note: { category: 'user.content' } } },
    };
    const intent = bench.intent(tables);
    const { steps } = await bench.apply(intent);
    assert.equal(steps.length, 11);
    const { ok, pending } = await bench.status(intent);
    assert.deepEqual({ ok, pending }, { ok: true, pending: [] });
    assert.deepEqual((await bench.apply(intent)).steps, []);
    await bench.unapply();
    assert.deepEqual(await bench.userState(), before);
  });
}

test('a table of 1,600 columns is marked whole and given back', async (t) => {
  const columns = Array.from({ length: 1600 }, (_, place) => `c${place} integer`).join(', ');
  const bench = await workbench(t, { setUp: `create table wide (${columns})` });
  const before = await bench.userState();
  const intent = bench.intent(mapEverything(await userCatalog(bench.pool)));
  assert.equal((await bench.apply(intent)).steps.length, 1600);
  assert.equal((await bench.status(intent)).ok, true);
  await bench.unapply();
  assert.deepEqual(await bench.userState(), before);
});
