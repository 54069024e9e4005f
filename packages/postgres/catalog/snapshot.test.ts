import assert from 'node:assert/strict';
import { test } from 'node:test';
import type pg from 'pg';
import { isSafekeepError } from '@safekeep/core';
import { testDatabase, testServers } from '../testing/index.ts';
import { findTable } from './lookup.ts';
import type { Connection } from './queryable.ts';
import { readCatalog, readCatalogAroundLocks } from './read-catalog.ts';
import { inSnapshot } from './snapshot.ts';

const TABLES = `
  create schema clinic;
  create table clinic.patients (
    id int primary key default 7 check (id > 0), name text, initial text generated always as (left(name, 1)) stored);
  create index on clinic.patients (lower(name)) where id > 5;
  create table clinic.bookings (id int primary key, patient_id int references clinic.patients, check (patient_id > 0));
  create view clinic.names as select name from clinic.patients where name in ('a', 'b');
  create policy own on clinic.patients using (name = current_user)`;

/** The connection, with something that happens elsewhere just before its statement number `place` (from 1). */
function interrupted(client: pg.PoolClient, place: number, happens: () => Promise<unknown>): Connection {
  let statements = 0;
  return {
    query: async (text, values) => {
      statements += 1;
      if (statements === place) await happens();
      return client.query(text, values === undefined ? undefined : [...values]);
    },
    getTransactionStatus: () => client.getTransactionStatus(),
  };
}

function onlyLocked(error: unknown): void {
  assert.equal(error instanceof Error && 'code' in error && error.code, '55P03');
}

for (const server of testServers()) {
  test(`on PostgreSQL ${server.name} a table dropped at any moment of the reading is listed whole or not at all`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    await pool.query(TABLES);
    const { tables } = await readCatalog(pool);
    const whole = tables.map((table) => table.name);
    const complete = (await readCatalog(pool)).tables.find((table) => table.name === 'patients');
    const client = await pool.connect();
    try {
      const outcomes = new Set<string>();
      let happened = true;
      for (let place = 1; happened; place += 1) {
        happened = false;
        const db = interrupted(client, place, () => {
          happened = true;
          // Once the view has been printed the reading holds a lock on what it reads, and a DROP must wait.
          return pool.query(`set local lock_timeout = '20ms'; drop table clinic.patients cascade`).catch(onlyLocked);
        });
        const read = await readCatalog(db);
        const names = read.tables.map((table) => table.name);
        outcomes.add(names.join());
        assert.ok([whole.join(), 'bookings'].includes(names.join()), `statement ${place}: ${names.join()}`);
        const patients = findTable(read, 'clinic.patients');
        const shape = (table: typeof patients) =>
          table && [table.checks, table.columns, table.indexes, table.policies].map((each) => each.length);
        if (patients !== undefined) assert.deepEqual(shape(patients), shape(complete));
        const bookings = findTable(read, 'clinic.bookings');
        assert.equal(bookings?.foreignKeys.length, patients === undefined ? 0 : 1);
        assert.equal(bookings.checks.length, 1);
        await pool.query(`drop schema clinic cascade; ${TABLES}`);
      }
      assert.equal(outcomes.size, 2, 'both outcomes were seen');
    } finally {
      client.release();
    }
  });

  test(`on PostgreSQL ${server.name} reading goes on while other sessions create and drop tables`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    await pool.query(TABLES);
    const ended = new AbortController();
    const churn = async (name: string): Promise<void> => {
      while (!ended.signal.aborted) {
        await pool.query(`
          create table clinic.${name} (id serial primary key check (id > 0), of int references clinic.patients, name text default 'x');
          create view clinic.${name}_view as select * from clinic.${name} where name in ('a', 'b');
          create policy p on clinic.${name} using (name = current_user)`);
        await pool.query(`drop table clinic.${name} cascade`);
      }
    };
    const churning = [churn('churn_a'), churn('churn_b')];
    try {
      for (let time = 0; time < 15; time += 1) {
        const { tables } = await readCatalog(pool);
        assert.deepEqual(
          tables.filter((table) => !table.name.startsWith('churn')).map((table) => table.name),
          ['bookings', 'names', 'patients'],
        );
        for (const table of tables.filter((each) => each.name === 'churn_a' || each.name === 'churn_b')) {
          assert.deepEqual([table.columns.length, table.checks.length, table.foreignKeys.length], [3, 1, 1]);
        }
      }
    } finally {
      ended.abort();
      await Promise.all(churning);
    }
  });

  test(`on PostgreSQL ${server.name} all statements see one moment`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    await pool.query(TABLES);
    const client = await pool.connect();
    try {
      // Statement 5 reads the columns; the table list was read before.
      const db = interrupted(client, 5, () =>
        pool.query('alter table clinic.bookings add note text; create table clinic.later (id int)'),
      );
      const read = await readCatalog(db);
      assert.deepEqual(
        read.tables.map((table) => table.name),
        ['bookings', 'names', 'patients'],
      );
      assert.equal(findTable(read, 'clinic.bookings')?.columns.length, 2);
      assert.equal(client.getTransactionStatus(), 'I');
    } finally {
      client.release();
    }
  });

  test(`on PostgreSQL ${server.name} definitions print alike whatever the session is set to`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    await pool.query(`${TABLES};
      create table clinic.defaults (
        a timestamptz default '2020-02-03 04:05+00', b interval default '1 day 2:03', c date default '2020-02-03', d float8 default 0.1,
        e money default 1.5, f clinic.patients, g bytea default '\\x00ff')`);
    const plain = await readCatalog(pool);
    const client = await pool.connect();
    try {
      await client.query(`
        set search_path = clinic, public; set timezone = 'Asia/Kolkata'; set datestyle = 'German'; set intervalstyle = 'iso_8601';
        set quote_all_identifiers = on; set extra_float_digits = -5; set bytea_output = 'escape'`);
      const other = await readCatalog(client);
      assert.deepEqual({ ...other, server: undefined }, { ...plain, server: undefined });
      assert.match(findTable(plain, 'clinic.defaults')?.columns[0]?.default ?? '', /'2020-02-03 04:05:00\+00'/);
      const { rows } = await client.query(`select current_setting('search_path') as path, current_setting('lock_timeout') as lock`);
      assert.deepEqual(rows, [{ path: 'clinic, public', lock: '0' }], 'the session is as before');
    } finally {
      client.release(true);
    }
  });

  test(`on PostgreSQL ${server.name} an open transaction is read within, and left as it was`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    await pool.query(TABLES);
    const client = await pool.connect();
    try {
      await client.query(`begin; set local search_path = clinic; set local lock_timeout = '3s'; create table uncommitted (id int)`);
      const read = await readCatalog(client);
      assert.ok(findTable(read, 'clinic.uncommitted'), 'what the transaction has not committed is seen');
      // A pool of another library would look like this: no transaction status to ask for.
      const adapted = await readCatalog({
        query: (text, values) => client.query(text, values === undefined ? undefined : [...values]),
      });
      assert.deepEqual(adapted.tables, read.tables);
      const { rows } = await client.query(`select current_setting('search_path') as path, current_setting('lock_timeout') as lock`);
      assert.deepEqual(rows, [{ path: 'clinic', lock: '3s' }]);
      assert.equal(client.getTransactionStatus(), 'T');
      await client.query('commit');
      assert.ok(findTable(await readCatalog(pool), 'clinic.uncommitted'), 'the transaction could be committed');
    } finally {
      client.release(true);
    }
  });

  test(`on PostgreSQL ${server.name} a table dropped while an open transaction reads does not break the transaction`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    await pool.query(TABLES);
    const client = await pool.connect();
    try {
      await client.query('begin; create table clinic.mine (id int)');
      // Statement 8 prints the indexes; the checks before it have been read.
      const db = interrupted(client, 8, () => pool.query('drop table clinic.patients cascade'));
      const read = await readCatalog(db);
      assert.deepEqual(
        read.tables.map((table) => table.name),
        ['bookings', 'mine'],
      );
      await client.query('commit');
    } finally {
      client.release(true);
    }
  });

  test(`on PostgreSQL ${server.name} who only looks reads around a table that another session holds alone, and what lets nobody read is refused`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    await pool.query(TABLES);
    const [holder, reader] = [await pool.connect(), await pool.connect()];
    try {
      const whole = await readCatalog(reader);
      const calm = await readCatalogAroundLocks(reader);
      assert.deepEqual([calm.catalog.tables, calm.catalog.functions, calm.held], [whole.tables, whole.functions, []]);
      await reader.query(`set lock_timeout = '50ms'`);
      await holder.query('begin; lock table clinic.patients in access exclusive mode');
      const { catalog, held } = await readCatalogAroundLocks(reader);
      assert.deepEqual(
        held.map(({ table }) => table),
        ['names', 'patients'],
      );
      const [bookings, names, patients] = catalog.tables;
      assert.deepEqual(bookings, whole.tables[0]);
      assert.equal(names?.view, null);
      assert.deepEqual(
        [patients?.columns.length, patients?.sizeBytes, patients?.checks, patients?.indexes, patients?.policies],
        [3, null, [], [], []],
      );
      assert.equal(patients?.primaryKey?.columns[0], 'id');
      await holder.query('rollback; begin; lock table pg_catalog.pg_policy in access exclusive mode');
      await assert.rejects(readCatalogAroundLocks(reader), (error) => isSafekeepError(error, 'lock-timeout'));
      assert.equal(reader.getTransactionStatus(), 'I');
    } finally {
      await holder.query('rollback');
      holder.release(true);
      reader.release(true);
    }
  });

  test(`on PostgreSQL ${server.name} a table that another session holds alone is waited for, up to a limit, and named`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    await pool.query(TABLES);
    const [holder, reader] = [await pool.connect(), await pool.connect()];
    try {
      await holder.query('begin; lock table clinic.patients in access exclusive mode');
      await reader.query(`set lock_timeout = '50ms'`);
      await assert.rejects(
        readCatalog(reader),
        (error) => isSafekeepError(error, 'lock-timeout') && error.message.includes('clinic.patients'),
      );
      assert.equal(reader.getTransactionStatus(), 'I');
      await holder.query('rollback');
      assert.equal((await readCatalog(reader)).tables.length, 3);
    } finally {
      holder.release(true);
      reader.release(true);
    }
  });

  test(`on PostgreSQL ${server.name} a statement timeout of the session holds, and the connection can be used afterwards`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    await pool.query(TABLES);
    const [holder, reader] = [await pool.connect(), await pool.connect()];
    try {
      await holder.query('begin; lock table clinic.patients in access exclusive mode');
      await reader.query(`set statement_timeout = '100ms'`);
      await assert.rejects(readCatalog(reader), { code: '57014' });
      await holder.query('rollback');
      await reader.query('set statement_timeout = 0');
      assert.equal((await readCatalog(reader)).tables.length, 3);
    } finally {
      holder.release(true);
      reader.release(true);
    }
  });

  test(`on PostgreSQL ${server.name} a structure that never settles is told as such`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    let tries = 0;
    // The error is PostgreSQL's own for an object that is gone; here it comes each time.
    const unsettled = inSnapshot(pool, async (db) => {
      tries += 1;
      return db.query(`select 'gone'::regclass`);
    });
    await assert.rejects(
      unsettled,
      (error) => isSafekeepError(error, 'catalog-unsettled') && error.message.includes(` ${tries} tries`),
    );
    assert.equal(tries, 5);
    assert.equal(pool.totalCount, 0, 'a session in an unknown state does not go back to the pool');
  });

  test(`on PostgreSQL ${server.name} nothing can be written in a snapshot`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    await assert.rejects(
      inSnapshot(pool, (db) => db.query('create table t (id int)')),
      { code: '25006' },
    );
  });
}
