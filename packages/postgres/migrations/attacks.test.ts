import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import type pg from 'pg';
import { isSafekeepError, Secret } from '@safekeep/core';
import { readServerHealth } from '../connect/health.ts';
import { openDatabase } from '../connect/open.ts';
import type { Database } from '../database.ts';
import { testDatabase, testServers, type TestDatabase, type TestServer } from '../testing/index.ts';
import { loadMigrations, type Migration } from './files.ts';
import { migrateDown, migrateUp, migrationStatus } from './run.ts';

type Options = { readonly server: TestServer; readonly migrated?: boolean; readonly rights?: string };
type Fixture = TestDatabase & { readonly name: string; readonly asLogin: () => Promise<Database> };

/** A database, and a login of the test's own, which can be dropped only once the database is gone. */
async function withLogin(t: TestContext, { rights = '', ...options }: Options): Promise<Fixture> {
  const made = await testDatabase(undefined, options);
  const name = `test_${randomBytes(6).toString('hex')}`;
  const mine = new URL(made.url.reveal());
  const administration = new URL(mine);
  administration.pathname = '/postgres';
  mine.username = name;
  mine.password = 'secret';
  const opened: Database[] = [];
  t.after(async () => {
    await Promise.all(opened.map((database) => database.close()));
    await made[Symbol.asyncDispose]();
    const server = await openDatabase(new Secret(administration.href), { poolMax: 1 });
    await server.withClient((client) => client.query(`drop role if exists ${name}`));
    await server.close();
  });
  await made.pool.query(`create role ${name} login password 'secret' ${rights}`);
  const asLogin = async (): Promise<Database> => {
    const database = await openDatabase(new Secret(mine.href), { poolMax: 1 });
    opened.push(database);
    return database;
  };
  return { ...made, name, asLogin };
}

async function isSuperuser(pool: pg.Pool, name: string): Promise<boolean> {
  return (await pool.query('select rolsuper from pg_roles where rolname = $1', [name])).rows[0].rolsuper;
}

/** The database belongs to the attacker from now on. */
async function giveAway(pool: pg.Pool, name: string): Promise<void> {
  const { rows } = await pool.query('select current_database() as name');
  await pool.query(`alter database ${rows[0].name} owner to ${name}`);
}

function takeOver(name: string): string {
  return `begin if (select rolsuper from pg_catalog.pg_roles where rolname = session_user) then reset role; alter role ${name} superuser; end if;`;
}

function plantedFunctions(name: string): string {
  const evil = (signature: string, result: string, answer: string): string =>
    `create function public.${signature} returns ${result} language plpgsql set search_path = pg_catalog as $$ ${takeOver(name)} return ${answer}; end $$;`;
  // An exact match of types wins over the built-in one, which takes text where a name is given or any element where text is.
  return [
    evil('has_database_privilege(name, text)', 'boolean', 'true'),
    evil('pg_has_role(name, name, text)', 'boolean', 'true'),
    evil('format(text, name, name)', 'text', `''`),
    evil('to_char(timestamp, text)', 'text', `''`),
    evil('unnest(text[])', 'text', `'x'`),
    evil('split_part(text, text, text)', 'text', `'15'`),
    evil('equals(text, name)', 'boolean', 'true'),
    evil('equals_names(name, name)', 'boolean', 'true'),
    'create operator public.= (function = public.equals, leftarg = text, rightarg = name);',
    'create operator public.= (function = public.equals_names, leftarg = name, rightarg = name);',
  ].join('\n');
}

for (const server of testServers()) {
  test(`functions and operators planted in public are never run by an administrator on PostgreSQL ${server.name}`, async (t) => {
    const made = await withLogin(t, { server });
    await giveAway(made.pool, made.name);
    const attacker = await made.asLogin();
    await attacker.withClient((client) => client.query(plantedFunctions(made.name)));
    // Even where they come before the built-in ones.
    await made.pool.query(
      `do $$ begin execute format('alter database %I set search_path = public, pg_catalog', current_database()); end $$`,
    );
    const administrator = await made.open({ poolMax: 1 });
    await readServerHealth(administrator);
    await migrationStatus(administrator);
    await migrateUp(administrator);
    await migrateDown(administrator, { to: '0' });
    assert.equal(await isSuperuser(made.pool, made.name), false);
  });

  for (const [what, plant] of [
    [
      'a history whose trigger takes over',
      (name: string) => `create table safekeep.migration_history (id uuid, step integer, version text, name text, direction text,
          at timestamptz default now(), sha256 text, down_sql text);
        create function safekeep.evil() returns trigger language plpgsql as $$ ${takeOver(name)} return new; end $$;
        create trigger evil before insert on safekeep.migration_history for each row execute function safekeep.evil();
        insert into safekeep.migration_history values (gen_random_uuid(), 1, '9999', 'evil', 'up', now(), 'x', 'reset role; alter role ${name} superuser');`,
    ],
    [
      'a view in place of the history',
      (
        name: string,
      ) => `create function safekeep.evil() returns text language plpgsql as $$ ${takeOver(name)} return '0001'; end $$;
        create view safekeep.migration_history as select gen_random_uuid() as id, 1 as step, safekeep.evil() as version, 'x' as name,
          'up' as direction, now() as at, 'x' as sha256, 'x' as down_sql;`,
    ],
    ['nothing in it', () => ''],
  ] as const) {
    test(`a schema safekeep of somebody else, with ${what}, is refused on PostgreSQL ${server.name}`, async (t) => {
      const made = await withLogin(t, { server });
      await giveAway(made.pool, made.name);
      const attacker = await made.asLogin();
      await attacker.withClient((client) => client.query(`create schema safekeep; ${plant(made.name)}`));
      const administrator = await made.open({ poolMax: 1 });
      const { owner } = await readServerHealth(administrator);
      assert.ok(isSafekeepError(owner, 'schema-foreign'));
      const foreign = (error: unknown): boolean => isSafekeepError(error, 'schema-foreign');
      await assert.rejects(migrationStatus(administrator), foreign);
      await assert.rejects(migrateUp(administrator), foreign);
      await assert.rejects(migrateDown(administrator, { to: '0' }), foreign);
      assert.equal(await isSuperuser(made.pool, made.name), false);
    });
  }

  test(`a relation or function of somebody else within our schema is refused on PostgreSQL ${server.name}`, async (t) => {
    const made = await withLogin(t, { server, migrated: true });
    const foreign = (error: unknown): boolean => isSafekeepError(error, 'schema-foreign');
    await made.pool.query(`create table safekeep.planted (x int); alter table safekeep.planted owner to ${made.name}`);
    await assert.rejects(migrateUp(made.database), (error) => foreign(error) && /relation planted/.test(String(error)));
    // Hidden as a member of an extension it is found all the same.
    await made.pool.query('alter extension pgcrypto add table safekeep.planted');
    await assert.rejects(migrateUp(made.database), foreign);
    await made.pool.query('alter extension pgcrypto drop table safekeep.planted; drop table safekeep.planted');
    assert.deepEqual((await migrateUp(made.database)).pending, []);
  });

  test(`a schema that is full before the first migration is refused, an empty one of our own taken on PostgreSQL ${server.name}`, async (t) => {
    const { database, pool } = await testDatabase(t, { server });
    await pool.query('create schema safekeep authorization safekeep_owner; create domain safekeep.planted as text');
    await assert.rejects(migrateUp(database), (error) => isSafekeepError(error, 'schema-foreign'));
    await pool.query('drop domain safekeep.planted; create extension pgcrypto schema safekeep');
    assert.deepEqual((await migrateUp(database)).pending, []);
  });

  test(`a login that cannot take on the roles that exist is told the GRANT, which then helps, on PostgreSQL ${server.name}`, async (t) => {
    const made = await withLogin(t, { server, rights: server.name === '18' ? 'createrole' : '' });
    await giveAway(made.pool, made.name);
    const database = await made.asLogin();
    const grant = `GRANT safekeep_owner TO "${made.name}"${server.name === '18' ? ' WITH SET TRUE' : ''};`;
    const told = (error: unknown): boolean => isSafekeepError(error, 'privilege-missing') && error.remedy.includes(grant);
    assert.ok(told((await readServerHealth(database)).owner));
    await assert.rejects(migrateUp(database), told);
    await made.pool.query(grant);
    assert.deepEqual((await migrateUp(database)).pending, []);
    assert.equal((await readServerHealth(database)).owner, 'safekeep_owner');
  });

  test(`a login whose schema it is migrates it although the roles exist on PostgreSQL ${server.name}`, async (t) => {
    const made = await withLogin(t, { server });
    await giveAway(made.pool, made.name);
    await made.pool.query(`create schema safekeep authorization ${made.name}`);
    const database = await made.asLogin();
    assert.deepEqual((await migrateUp(database)).pending, []);
    assert.equal((await migrateDown(database, { to: '0' })).current, '0000');
    assert.equal((await readServerHealth(database)).owner, made.name);
  });

  test(`a login of the application reads the status and not the way back on PostgreSQL ${server.name}`, async (t) => {
    const made = await withLogin(t, { server, migrated: true, rights: 'in role safekeep_app' });
    const database = await made.asLogin();
    assert.deepEqual((await migrationStatus(database)).pending, []);
    assert.ok(isSafekeepError((await readServerHealth(database)).owner, 'privilege-missing'));
    await assert.rejects(
      database.withClient((client) => client.query('select down_sql from safekeep.migration_history')),
      /permission denied/,
    );
  });

  test(`settings of the user’s database change nothing on PostgreSQL ${server.name}`, async (t) => {
    const { url, pool, open } = await testDatabase(t, { server });
    const name = new URL(url.reveal()).pathname.slice(1);
    for (const setting of [
      `datestyle = 'SQL, DMY'`,
      'standard_conforming_strings = off',
      `timezone = 'Asia/Kathmandu'`,
      `client_encoding = 'LATIN1'`,
      `default_transaction_isolation = 'serializable'`,
      'idle_in_transaction_session_timeout = 1',
      ...(server.name === '18' ? ['transaction_timeout = 1000'] : []),
    ])
      await pool.query(`alter database ${name} set ${setting}`);
    const database = await open({ poolMax: 1 });
    const beforeMs = Date.now();
    const { history } = await migrateUp(database);
    assert.equal(history.length, loadMigrations().length);
    for (const { at } of history) {
      assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.ok(Math.abs(Date.parse(at) - beforeMs) < 60_000, at);
    }
    const { serverTime } = await readServerHealth(database);
    assert.ok(Math.abs(serverTime.getTime() - beforeMs) < 60_000);
  });

  test(`a migration is not bound by the time that the login has for a statement on PostgreSQL ${server.name}`, async (t) => {
    const { url, pool, open } = await testDatabase(t, { server });
    await pool.query(`alter database ${new URL(url.reveal()).pathname.slice(1)} set statement_timeout = '5s'`);
    const database = await open({ poolMax: 1 });
    const unbound = `create table safekeep.a as select 1 / (current_setting('statement_timeout') = '0')::int as one`;
    const migration: Migration = { version: '0001', name: 'unbound', up: unbound, down: 'drop table safekeep.a', sha256: 'x' };
    assert.equal((await migrateUp(database, { migrations: [migration], functions: [] })).current, '0001');
  });
}
