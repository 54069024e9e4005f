import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import { testDatabase } from '@safekeep/postgres/testing';
import { databaseChecks } from './checks.ts';

test('a stricter isolation than the usual one is told with the statement that takes it away', async (t) => {
  const made = await testDatabase(t);
  const isolation = async (): Promise<unknown> => {
    // What is set for a database holds for whoever connects afterwards.
    const database = await openDatabase(made.url, { applicationName: 'doctor', poolMax: 2 });
    try {
      return (await databaseChecks(database, systemClock)).find(({ name }) => name === 'isolation');
    } finally {
      await database.close();
    }
  };
  assert.deepEqual(await isolation(), { name: 'isolation', state: 'ok', detail: 'read committed' });
  const { rows } = await made.pool.query<{ statement: string }>(
    `select format('alter database %I set default_transaction_isolation = %L', current_database(), 'repeatable read') as statement`,
  );
  await made.pool.query(rows[0]?.statement ?? '');
  const told = await isolation();
  assert.ok(typeof told === 'object' && told !== null && 'state' in told && 'detail' in told);
  assert.equal(told.state, 'warn');
  assert.match(String(told.detail), /is repeatable read: .*SET default_transaction_isolation = 'read committed'/);
});
