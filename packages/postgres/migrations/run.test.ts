import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { openDatabase } from '../connect/open.ts';
import { testDatabase, testServers, type TestServer } from '../testing/index.ts';
import { loadFunctions, loadMigrations, type FunctionFile, type Migration } from './files.ts';
import { migrateDown, migrateUp, migrationStatus } from './run.ts';

function planted(version: string, up: string, down: string): Migration {
  return { version, name: `planted_${version}`, up, down, sha256: createHash('sha256').update(up).digest('hex') };
}

const first = planted('0001', 'create table safekeep.a (tenant_id text primary key)', 'drop table safekeep.a');
const second = planted('0002', 'create table safekeep.b (tenant_id text primary key)', 'drop table safekeep.b');

function fresh(t: TestContext, server?: TestServer) {
  return testDatabase(t, server === undefined ? {} : { server });
}

test('the files of migrations and functions are read once', () => {
  assert.equal(loadMigrations(), loadMigrations());
  assert.equal(loadFunctions(), loadFunctions());
});

for (const server of testServers()) {
  test(`up, status, down to nothing and up again on PostgreSQL ${server.name}`, async (t) => {
    const { database, pool } = await fresh(t, server);
    const versions = loadMigrations().map(({ version }) => version);
    assert.deepEqual(await migrationStatus(database), { current: '0000', pending: versions, functions: [], history: [] });

    const up = await migrateUp(database);
    assert.equal(up.current, versions.at(-1));
    assert.deepEqual(up.pending, []);
    assert.equal((await migrateUp(database)).history.length, up.history.length, 'a second run changes nothing');

    const down = await migrateDown(database, { to: '0' });
    assert.equal(down.current, '0000');
    const { rows } = await pool.query(
      `select relname from pg_class where relnamespace = 'safekeep'::regnamespace and relkind = 'r' order by 1`,
    );
    assert.deepEqual(
      rows.map(({ relname }) => relname),
      ['function_versions', 'migration_history'],
    );
    const { rows: functions } = await pool.query(
      `select proname from pg_proc p where pronamespace = 'safekeep'::regnamespace
          and not exists (select from pg_depend where objid = p.oid and deptype = 'e')`,
    );
    assert.deepEqual(functions, []);

    assert.equal((await migrateUp(database)).current, versions.at(-1));
  });

  test(`objects of schema safekeep belong to a role that nobody can log in as on PostgreSQL ${server.name}`, async (t) => {
    const { database, pool } = await fresh(t, server);
    await migrateUp(database);
    const { rows } = await pool.query(
      `select distinct r.rolname, r.rolcanlogin from pg_class c join pg_roles r on r.oid = c.relowner
        where c.relnamespace = 'safekeep'::regnamespace and c.relkind in ('r', 'p', 'v')`,
    );
    assert.deepEqual(rows, [{ rolname: 'safekeep_owner', rolcanlogin: false }]);
  });
}

test('a migration that fails is rolled back whole and the earlier ones stand', async (t) => {
  const { database, pool } = await fresh(t);
  const broken = planted('0002', 'create table safekeep.b (tenant_id text primary key); select 1/0', '');
  await assert.rejects(
    migrateUp(database, { migrations: [first, broken], functions: [] }),
    (error) => isSafekeepError(error, 'migration-failed') && error.message.includes('division by zero'),
  );
  assert.equal((await migrationStatus(database, { migrations: [first, broken] })).current, '0001');
  assert.equal((await pool.query(`select to_regclass('safekeep.b') as b`)).rows[0].b, null);
});

test('a way back that refuses loses nothing of what stands above it either', async (t) => {
  const { database, pool } = await fresh(t);
  const guarded = planted(
    '0001',
    'create table safekeep.a (tenant_id text primary key)',
    `do $$ begin raise exception 'not yet'; end $$`,
  );
  const migrations = [guarded, second];
  await migrateUp(database, { migrations, functions: [] });
  await pool.query(`insert into safekeep.b values ('kept')`);
  await assert.rejects(
    migrateDown(database, { migrations, to: '0' }),
    (error) => isSafekeepError(error, 'migration-refused') && error.message.includes('not yet'),
  );
  assert.equal((await migrationStatus(database, { migrations })).current, '0002');
  assert.deepEqual((await pool.query('select * from safekeep.b')).rows, [{ tenant_id: 'kept' }]);
});

test('a landed migration whose file has changed is refused and nothing runs', async (t) => {
  const { database } = await fresh(t);
  await migrateUp(database, { migrations: [first], functions: [] });
  const edited = planted('0001', `${first.up} -- edited`, first.down);
  await assert.rejects(migrateUp(database, { migrations: [edited, second], functions: [] }), (error) =>
    isSafekeepError(error, 'migration-changed'),
  );
  assert.equal((await migrationStatus(database, { migrations: [first, second] })).current, '0001');
});

test('an older Safekeep refuses to go up on a newer schema but can take it down', async (t) => {
  const { database, pool } = await fresh(t);
  await migrateUp(database, { migrations: [first, second], functions: [] });
  await assert.rejects(migrateUp(database, { migrations: [first], functions: [] }), (error) =>
    isSafekeepError(error, 'migration-newer'),
  );
  assert.equal((await migrateDown(database, { to: '1', migrations: [first] })).current, '0001');
  assert.equal((await pool.query(`select to_regclass('safekeep.b') as b`)).rows[0].b, null);
});

test('an unknown version is refused', async (t) => {
  const { database } = await fresh(t);
  await assert.rejects(migrateUp(database, { to: '9999' }), (error) => isSafekeepError(error, 'migration-unknown'));
  await assert.rejects(migrateDown(database, { to: 'abc' }), (error) => isSafekeepError(error, 'migration-unknown'));
});

test('eight runners at once land each migration exactly once', async (t) => {
  const { url } = await fresh(t);
  const runners = await Promise.all(Array.from({ length: 8 }, () => openDatabase(url, { poolMax: 1 })));
  try {
    const statuses = await Promise.all(runners.map((runner) => migrateUp(runner)));
    const history = statuses.at(-1)?.history ?? [];
    assert.deepEqual(
      history.map(({ version }) => version),
      loadMigrations().map(({ version }) => version),
    );
  } finally {
    await Promise.all(runners.map((runner) => runner.close()));
  }
});

test('a lock held by a session of the user ends in lock-timeout with nothing changed', async (t) => {
  const { database, pool } = await fresh(t);
  await migrateUp(database, { migrations: [first], functions: [] });
  const holder = await pool.connect();
  try {
    await holder.query('begin; lock table safekeep.a in access exclusive mode');
    const alter = planted('0002', `set local lock_timeout = '50ms'; alter table safekeep.a add column x int`, '');
    await assert.rejects(migrateUp(database, { migrations: [first, alter], functions: [] }), (error) =>
      isSafekeepError(error, 'lock-timeout'),
    );
    assert.equal((await migrationStatus(database, { migrations: [first, alter] })).current, '0001');
  } finally {
    await holder.query('rollback');
    holder.release();
  }
});

test('a login without CREATE on the database is told which right it lacks', async (t) => {
  const { url, pool } = await fresh(t);
  await pool.query(`create role test_weak login password 'weak'`);
  const weak = new URL(url.reveal());
  weak.username = 'test_weak';
  weak.password = 'weak';
  const { Secret } = await import('@safekeep/core');
  const database = await openDatabase(new Secret(weak.href), { poolMax: 1 });
  try {
    await assert.rejects(
      migrateUp(database),
      (error) => isSafekeepError(error, 'privilege-missing') && error.remedy.includes('GRANT CREATE ON DATABASE'),
    );
  } finally {
    await database.close();
    await pool.query('drop role test_weak');
  }
});

test('a read-only database is told as such', async (t) => {
  const { url, pool } = await fresh(t);
  const name = new URL(url.reveal()).pathname.slice(1);
  await pool.query(`alter database ${name} set default_transaction_read_only = on`);
  const database = await openDatabase(url, { poolMax: 1 });
  try {
    await assert.rejects(migrateUp(database), (error) => isSafekeepError(error, 'database-read-only'));
  } finally {
    await database.close();
  }
});

test('functions that changed, are new or are no longer made are told, and renewed without a migration', async (t) => {
  const { database, pool } = await fresh(t);
  const made = (name: string, answer: number): FunctionFile => {
    const text = `create or replace function safekeep.${name}() returns integer language sql return ${answer}`;
    return { object: `function safekeep.${name}()`, needs: '0001', text, sha256: createHash('sha256').update(text).digest('hex') };
  };
  const migrations = [first];
  await migrateUp(database, { migrations, functions: [made('old', 1), made('used', 1), made('same', 1)] });
  await pool.query('create view public.rests as select safekeep.used() as on_it');
  const functions = [made('same', 2), made('added', 3)];
  const expected = ['function safekeep.same()', 'function safekeep.added()', 'function safekeep.old()', 'function safekeep.used()'];
  assert.deepEqual((await migrationStatus(database, { migrations, functions })).functions.toSorted(), expected.toSorted());
  // What somebody's view rests on stays until they let go of it.
  assert.deepEqual((await migrateUp(database, { migrations, functions })).functions, ['function safekeep.used()']);
  const { rows } = await pool.query(
    `select safekeep.same() as same, safekeep.added() as added, to_regprocedure('safekeep.old()') as old, on_it from public.rests`,
  );
  assert.deepEqual(rows, [{ same: 2, added: 3, old: null, on_it: 1 }]);
  await pool.query('drop view public.rests');
  assert.deepEqual((await migrateUp(database, { migrations, functions })).functions, []);
});
