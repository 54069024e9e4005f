import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import pg from 'pg';
import { openDatabase } from '@safekeep/postgres';
import { testServers, type TestServer } from '@safekeep/postgres/testing';
import { agreed, workbench } from '../testing/workbench.ts';
import { decryptField } from './decrypt-field.ts';
import { encryptField } from './encrypt-field.ts';
import { finishField } from './finish-field.ts';
import type { Ground } from './ground.ts';

const EMAIL = 'public.people.email';
const LIMITS = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout'];
const LIMIT_MS = 400;

/**
 * A database that gives everybody's statements, locks and transactions little time, and somebody in it who keeps an old snapshot, for
 * which CREATE INDEX CONCURRENTLY waits.
 */
async function impatient(t: TestContext, server: TestServer) {
  const bench = await workbench(t, {
    server,
    setUp: `create table people (id integer primary key, email text not null);
      insert into people select n, 'person' || n || '@example.org' from generate_series(1, 3000) as n`,
  });
  const { pool } = bench;
  const { rows } = await pool.query<{ database: string; name: string }>(
    'select current_database() as database, name from pg_settings where name = any ($1)',
    [LIMITS],
  );
  for (const { database, name } of rows)
    await pool.query(`alter database ${pg.escapeIdentifier(database)} set ${name} = '${LIMIT_MS}ms'`);
  const database = await openDatabase(bench.url);
  const patient = rows.map(({ name }) => `set ${name} = 0`).join('; ');
  const keeper = new pg.Client({ connectionString: bench.url.reveal() });
  await keeper.connect();
  await keeper.query(`${patient}; begin isolation level repeatable read; select from pg_class limit 1`);
  const building = `from pg_stat_activity where datname = current_database() and query like 'create index concurrently%' and state = 'active'`;
  return {
    ...bench,
    ground: { ...bench.ground, database } satisfies Ground,
    /** Until an index is being built for longer than anything is given here. */
    untilLong: async () => {
      for (let isLong = false; !isLong;)
        isLong = (await pool.query(`select ${building} and clock_timestamp() - query_start > '${2 * LIMIT_MS}ms'`)).rowCount === 1;
    },
    killBuilder: async () => await pool.query(`select pg_terminate_backend(pid) ${building}`),
    end: async () => {
      await keeper.end();
      await database.close();
    },
    release: async () => await keeper.query('commit'),
  };
}

for (const server of testServers()) {
  test(`limits that the database sets for statements, locks and transactions stop no index and no step (PostgreSQL ${server.name})`, async (t) => {
    const bench = await impatient(t, server);
    const { ground, order, pool, untilLong, release, end } = bench;
    try {
      const before = await bench.fingerprint();
      const encrypted = encryptField(ground, order(EMAIL, { search: ['exact'] }), agreed);
      await untilLong();
      await release();
      assert.equal((await encrypted).field.phase, 'switched');
      await finishField(ground, order(EMAIL).column, agreed);
      await decryptField(ground, order(EMAIL).column, agreed);
      assert.equal(await bench.fingerprint(), before);
      // What was taken off a connection came back to it.
      const left = await ground.database.withClient((client) => client.query('show statement_timeout'));
      assert.deepEqual(left.rows, [{ statement_timeout: `${LIMIT_MS}ms` }]);
      assert.equal((await pool.query(`select from people where email = 'person' || id || '@example.org'`)).rowCount, 3_000);
    } finally {
      await end();
    }
  });

  test(`an index whose making was stopped is made anew by the same command (PostgreSQL ${server.name})`, async (t) => {
    const { ground, order, pool, untilLong, killBuilder, release, end } = await impatient(t, server);
    try {
      const encrypted = encryptField(ground, order(EMAIL, { search: ['exact'] }), agreed);
      const stopped = assert.rejects(encrypted);
      await untilLong();
      await killBuilder();
      await stopped;
      const broken = `select from pg_index where indrelid = 'people'::regclass and not indisvalid`;
      assert.equal((await pool.query(broken)).rowCount, 1);
      await release();
      const { field } = await encryptField(ground, order(EMAIL, { search: ['exact'] }), agreed);
      assert.equal(field.phase, 'switched');
      assert.equal((await pool.query(broken)).rowCount, 0);
    } finally {
      await end();
    }
  });
}
