import assert from 'node:assert/strict';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { isSafekeepError, Secret } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import { importOptions, relations, sqliteFile, temporaryFolder, workbench } from '../testing/workbench.ts';
import { importSqlite } from './import-sqlite.ts';

const practice = `CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b')`;

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isSafekeepError(error), String(error));
    assert.equal(error.code, code);
    return true;
  };
}

const manyRows = `CREATE TABLE t (x INTEGER, v TEXT);
  INSERT INTO t WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 200000) SELECT x, 'some text of a row' FROM n`;

const MANY = `INSERT INTO t WITH RECURSIVE n(x) AS (SELECT 3 UNION ALL SELECT x + 1 FROM n WHERE x < 5000) SELECT x, hex(randomblob(40)) FROM n`;

test('a connection that is cut in the middle is told, and nothing of the import stays behind', async (t) => {
  const { context, pool, run } = await workbench(t);
  const file = sqliteFile(t, manyRows);
  let cutting: Promise<unknown> | undefined;
  const progress: typeof context.progress = () => ({
    update: () => {
      cutting ??= pool.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%'`,
      );
    },
    end: () => undefined,
  });
  await assert.rejects(importSqlite({ ...context, progress }, importOptions(file)), hasCode('connection-lost'));
  await cutting;
  assert.deepEqual(await relations(pool), []);
  assert.equal((await run(file)).state, 'done');
});

test('a login that may not create is told which right it lacks, and nothing is written', async (t) => {
  const { context, pool, url } = await workbench(t);
  const role = `reader_${process.pid}`;
  await pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 'only-for-this-test'`);
  const asReader = new URL(url.reveal());
  asReader.username = role;
  asReader.password = 'only-for-this-test';
  const database = await openDatabase(new Secret(asReader.href));
  try {
    await assert.rejects(
      importSqlite({ ...context, database }, importOptions(sqliteFile(t, practice))),
      hasCode('privilege-missing'),
    );
  } finally {
    await database.close();
    await pool.query(`DROP ROLE ${role}`);
  }
  assert.deepEqual(await relations(pool), []);
});

test('two imports into one schema do not run at the same time', async (t) => {
  const { context, pool } = await workbench(t);
  const file = sqliteFile(t, practice);
  const attempts = await Promise.allSettled([
    importSqlite(context, importOptions(file)),
    importSqlite(context, importOptions(file)),
  ]);
  assert.deepEqual(attempts.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
  const [refused] = attempts.flatMap((attempt) => (attempt.status === 'rejected' ? [attempt.reason] : []));
  assert.ok(isSafekeepError(refused));
  assert.ok(refused.code === 'import-run-active' || refused.code === 'import-target-occupied');
  assert.deepEqual(await relations(pool), ['public.t']);
});

test('a run that has ended holds nothing back from another process', async (t) => {
  const { run, url, context } = await workbench(t);
  const file = sqliteFile(t, practice);
  assert.equal((await run(file)).state, 'done');
  const another = await openDatabase(url);
  try {
    assert.equal((await importSqlite({ ...context, database: another }, importOptions(file, { replace: true }))).state, 'done');
  } finally {
    await another.close();
  }
});

test('an import that is interrupted stops and takes back what it had built', async (t) => {
  const { context, pool } = await workbench(t);
  const stopping = new AbortController();
  const progress: typeof context.progress = () => ({ update: () => stopping.abort(new Error('Ctrl-C')), end: () => undefined });
  await assert.rejects(
    importSqlite({ ...context, progress, signal: stopping.signal }, importOptions(sqliteFile(t, manyRows))),
    hasCode('interrupted'),
  );
  assert.deepEqual(await relations(pool), []);
});

test('a file that another program changes while it is read is refused, and what was loaded is removed again', async (t) => {
  const { context, pool, run } = await workbench(t);
  // Write-ahead mode with an empty log: nobody has it open, so it is read without a lock.
  const file = sqliteFile(t, `PRAGMA journal_mode = WAL; ${practice}`);
  let isChanged = false;
  const progress: typeof context.progress = () => ({
    update: () => {
      if (isChanged) return;
      isChanged = true;
      const other = new DatabaseSync(file);
      other.exec(`INSERT INTO t VALUES (3, 'late')`);
      other.close();
    },
    end: () => undefined,
  });
  await assert.rejects(importSqlite({ ...context, progress }, importOptions(file)), hasCode('import-source-changed'));
  assert.deepEqual(await relations(pool), []);
  assert.equal((await run(file)).tables[0]?.rowsWritten, 3);
});

test('the journal of a transaction that never finished is not read past; once it was rolled back the import goes through', async (t) => {
  const { pool, run } = await workbench(t);
  const file = sqliteFile(t, practice);
  const copy = join(temporaryFolder(t), 'copy.sqlite');
  const writer = new DatabaseSync(file);
  // With so small a cache the pages of an open transaction are in the file before it ends, and the old ones in the journal.
  writer.exec(`PRAGMA cache_size = 2; BEGIN; ${MANY}`);
  copyFileSync(file, copy);
  copyFileSync(`${file}-journal`, `${copy}-journal`);
  writer.exec('ROLLBACK');
  writer.close();
  const before = readFileSync(copy);
  await assert.rejects(run(copy), hasCode('import-source-journal'));
  assert.deepEqual(readFileSync(copy), before);
  assert.deepEqual(await relations(pool), []);
  // What the remedy says.
  const own = new DatabaseSync(copy);
  assert.equal(own.prepare('SELECT count(*) AS n FROM t').get()?.['n'], 2);
  own.close();
  assert.equal((await run(copy)).tables[0]?.rowsWritten, 2);
});

test('a table that something outside of the import depends on is not replaced, and stands as it was', async (t) => {
  const { pool, run } = await workbench(t);
  await run(sqliteFile(t, practice));
  await pool.query(`CREATE VIEW names AS SELECT v FROM t`);
  const newer = sqliteFile(t, `CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (7, 'new')`);
  await assert.rejects(run(newer, { replace: true }), hasCode('import-replace-referenced'));
  assert.deepEqual((await pool.query('SELECT v FROM names ORDER BY v')).rows, [{ v: 'a' }, { v: 'b' }]);
  assert.deepEqual(await relations(pool), ['public.names', 'public.t']);
  assert.equal((await run(newer, { schema: 'beside' })).state, 'done');
});
