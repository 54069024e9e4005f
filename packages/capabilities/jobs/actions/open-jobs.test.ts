import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { migrateDown, migrateUp } from '@safekeep/postgres';
import { testDatabase, testServers } from '@safekeep/postgres/testing';
import { stepped } from '../testing/kinds.ts';
import { openWorkshop, TENANT } from '../testing/workshop.ts';
import { enqueue } from './enqueue.ts';
import { prepareJobs } from './open-jobs.ts';

for (const server of testServers()) {
  test(`the queue's schema is made once by whoever is first, and belongs to the owner who cannot log in (PostgreSQL ${server.name})`, async (t) => {
    const shop = await openWorkshop(t, { server });
    const others = await Promise.all([shop.open(), shop.open(), shop.open()]);
    await Promise.all([shop.database, ...others].map((database) => prepareJobs(database)));
    const { rows } = await shop.pool.query(
      `select distinct pg_get_userbyid(relowner) as owner from pg_class where relnamespace = 'safekeep_jobs'::regnamespace`,
    );
    assert.deepEqual(rows, [{ owner: 'safekeep_owner' }]);
    const { rows: versions } = await shop.pool.query('select from safekeep_jobs.version');
    assert.equal(versions.length, 1);
  });
}

test('taking our own schema down and up again leaves the queue working', async (t) => {
  const shop = await openWorkshop(t);
  await enqueue(shop.database, stepped, {}, { tenant: TENANT });
  await migrateDown(shop.database, { to: '0' });
  await migrateUp(shop.database);
  const fresh = await shop.open();
  const { id } = await enqueue(fresh, stepped, {}, { tenant: TENANT });
  assert.equal((await shop.show(id)).state, 'queued');
});

test('a login without the right to make the schema is refused with the grant it needs, and can use it once it is made', async (t) => {
  const shop = await openWorkshop(t);
  const login = `test_login_${randomUUID().slice(0, 8)}`;
  await shop.pool.query(`create role ${login} login password 'x' in role safekeep_app`);
  try {
    const bound = await shop.openAs(login, 'x');
    await assert.rejects(
      prepareJobs(bound),
      (error) => isSafekeepError(error, 'privilege-missing') && error.remedy.includes('GRANT CREATE'),
    );
    await prepareJobs(shop.database);
    const { isNew } = await enqueue(bound, stepped, {}, { tenant: TENANT });
    assert.equal(isNew, true);
  } finally {
    await shop.pool.query(`drop role ${login}`);
  }
});

test('a queue schema that a newer Safekeep made is left alone', async (t) => {
  const shop = await openWorkshop(t);
  await prepareJobs(shop.database);
  await shop.pool.query('update safekeep_jobs.version set version = version + 1');
  await assert.rejects(prepareJobs(await shop.open()), (error) => isSafekeepError(error, 'jobs-schema-newer'));
});

test('a queue schema that an older Safekeep made is brought up, and what is queued in it stays', async (t) => {
  const shop = await openWorkshop(t);
  await enqueue(shop.database, stepped, {}, { tenant: TENANT });
  const { getRollbackPlans } = await import('pg-boss');
  await shop.pool.query(getRollbackPlans('safekeep_jobs'));
  const { id } = await enqueue(await shop.open(), stepped, {}, { tenant: TENANT });
  assert.equal((await shop.show(id)).state, 'queued');
  assert.equal((await shop.pool.query('select from safekeep_jobs.job')).rowCount, 2);
  const { rows } = await shop.pool.query(
    `select distinct pg_get_userbyid(relowner) as owner from pg_class where relnamespace = 'safekeep_jobs'::regnamespace`,
  );
  assert.deepEqual(rows, [{ owner: 'safekeep_owner' }]);
});

test('a schema that somebody made beforehand is not looked into by a strong login', async (t) => {
  const { database, pool } = await testDatabase(t, { migrated: true });
  await pool.query(`create role test_evil; create schema safekeep_jobs authorization test_evil`);
  try {
    await pool.query(
      `create function public.to_regclass(name) returns regclass language sql as 'select 1/0; select null::regclass'`,
    );
    await assert.rejects(
      prepareJobs(database),
      (error) => isSafekeepError(error, 'schema-foreign') && error.message.includes('test_evil'),
    );
  } finally {
    await pool.query('drop schema safekeep_jobs; drop role test_evil');
  }
});
