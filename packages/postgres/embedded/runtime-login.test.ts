import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '@safekeep/core';
import { openDatabase } from '../connect/open.ts';
import { readServerHealth } from '../connect/health.ts';
import { testDatabase, testServers } from '../testing/index.ts';
import { makeRuntimeLogin } from './runtime-login.ts';

for (const server of testServers()) {
  test(`the runtime login signs in and is bound by row security on PostgreSQL ${server.name}`, async (t) => {
    const { url, database, pool } = await testDatabase(t, { server, migrated: true });
    await makeRuntimeLogin(database, url, new Secret('earlier'));
    const runtimeUrl = await makeRuntimeLogin(database, url, new Secret('a pass/word: with @ signs'));
    const runtime = await openDatabase(runtimeUrl, { poolMax: 1 });
    try {
      const { user, strength } = await readServerHealth(runtime);
      assert.deepEqual({ user, strength }, { user: 'safekeep_runtime', strength: undefined });
    } finally {
      await runtime.close();
    }
    const { rows } = await pool.query(
      `select rolsuper, rolbypassrls, rolcreaterole from pg_roles where rolname = 'safekeep_runtime'`,
    );
    assert.deepEqual(rows, [{ rolsuper: false, rolbypassrls: false, rolcreaterole: false }]);
  });
}
