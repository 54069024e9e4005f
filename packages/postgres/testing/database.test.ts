import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testDatabase, testServers } from './index.ts';

for (const server of testServers()) {
  test(`a test gets a database of its own on PostgreSQL ${server.name}`, async (t) => {
    const { pool, database } = await testDatabase(t, { server });
    const { rows } = await pool.query('select 1 as one');
    assert.deepEqual(rows, [{ one: 1 }]);
    assert.equal(String(Math.floor(database.server.versionNumber / 10_000)), server.name);
  });
}
