import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { importAndFollow } from '../actions/import-and-follow.ts';
import { rollbackRun } from '../actions/rollback-run.ts';
import { importOptions, relations, sqliteFile, temporaryFolder, workbench } from '../testing/workbench.ts';
import { catchUp } from './catch-up.ts';
import { cutOver } from './cut-over.ts';
import { followRun } from './follow.ts';
import { installChangelog, removeChangelog } from './install.ts';
import { stopFollowing } from './stop.ts';
import { followedShop } from './testing/followed-shop.ts';
import { assertSame, sqliteRows, targetRows } from './testing/shop.ts';

const SWITCH = { closeSource: false, verify: 'changed', wayBackDays: 0 } as const;

const code =
  (expected: Parameters<typeof isSafekeepError>[1], message = /./) =>
  (error: unknown) => {
    assert.ok(isSafekeepError(error), String(error));
    assert.equal(error.code, expected, error.message);
    assert.match(error.message, message);
    return true;
  };

function objectsOf(file: string): unknown[] {
  const sqlite = new DatabaseSync(file);
  const names = sqlite
    .prepare('SELECT name FROM sqlite_schema ORDER BY name')
    .all()
    .map((row) => row['name']);
  sqlite.close();
  return names;
}

test('tables without a key are refused, all of them by name, and the file stays as it was', (t) => {
  const file = sqliteFile(
    t,
    `CREATE TABLE good (id INTEGER PRIMARY KEY); CREATE TABLE bare (x); CREATE TABLE holes (k TEXT PRIMARY KEY); INSERT INTO holes VALUES (NULL);
     CREATE TABLE only_index (a, b); CREATE UNIQUE INDEX half ON only_index (a) WHERE b > 1; CREATE VIRTUAL TABLE words USING fts5(t)`,
  );
  const before = objectsOf(file);
  assert.throws(() => installChangelog(file), code('import-follow-no-key', /bare .*holes .*only_index .*words/));
  assert.deepEqual(objectsOf(file), before);
});

test('a finished import is followed when its file is as it was, and refused when it has changed since', async (t) => {
  const { context, run, pool } = await workbench(t);
  const file = sqliteFile(t, `CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b')`);
  const { runId } = await run(file);
  const sqlite = new DatabaseSync(file);
  t.after(() => sqlite.close());
  sqlite.exec(`UPDATE t SET v = 'c' WHERE id = 2`);
  await assert.rejects(followRun(context, runId), code('import-follow-differs', /: t\./));
  assert.deepEqual(objectsOf(file), ['t']);
  sqlite.exec(`UPDATE t SET v = 'b' WHERE id = 2`);
  const followed = await followRun(context, runId.slice(0, 13));
  assert.deepEqual([followed.state, followed.tables], ['following', 1]);
  sqlite.exec(`REPLACE INTO t VALUES (2, 'd'), (9007199254740993, 'e')`);
  await catchUp(context, runId);
  assert.deepEqual((await pool.query('SELECT * FROM t ORDER BY id')).rows, [
    { id: '1', v: 'a' },
    { id: '2', v: 'd' },
    { id: '9007199254740993', v: 'e' },
  ]);
  await assert.rejects(followRun(context, runId), code('import-follow-exists'));
});

test('a run with rows in quarantine is not followed, and --follow does not go with it', async (t) => {
  const { context, run } = await workbench(t);
  const file = sqliteFile(t, `CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'x' || char(0))`);
  const { runId } = await run(file, { onInvalid: 'quarantine' });
  await assert.rejects(followRun(context, runId), code('import-follow-quarantine'));
  await assert.rejects(importAndFollow(context, importOptions(file, { onInvalid: 'quarantine' })), code('usage'));
  assert.deepEqual(objectsOf(file), ['t']);
});

test('an import with --follow that fails takes its changelog out of the file again', async (t) => {
  const { context } = await workbench(t);
  const file = sqliteFile(t, `CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (2, 'x' || char(0))`);
  const { state } = await importAndFollow(context, importOptions(file));
  assert.equal(state, 'failed');
  assert.deepEqual(objectsOf(file), ['t']);
});

test('a value that does not fit the type of its column stops the round, and nothing of the round is written', async (t) => {
  const { context, pool, sqlite, runId } = await followedShop(t);
  const before = await targetRows(pool, 'tags');
  sqlite.exec(`UPDATE tags SET uses = 0 WHERE uses = 1; UPDATE people SET big = 'no number' WHERE id = 5`);
  await assert.rejects(
    catchUp(context, runId),
    code('import-follow-unfit', /people\.big became bigint.*entry \d+ of safekeep_changelog/),
  );
  assert.deepEqual(await targetRows(pool, 'tags'), before);
  sqlite.exec(`UPDATE people SET big = 7, name = 'a' || char(0) WHERE id = 5`);
  await assert.rejects(catchUp(context, runId), code('import-follow-unfit', /people\.name became text/));
  sqlite.exec(`UPDATE people SET name = CAST(x'ff' AS TEXT) WHERE id = 5`);
  await assert.rejects(catchUp(context, runId), code('import-follow-unfit', /people\.name became text/));
  sqlite.exec(`UPDATE people SET name = 'mended' WHERE id = 5`);
  await catchUp(context, runId);
  await assertSame(sqlite, pool);
});

test('rows that PostgreSQL refuses stop the round with its reason and without their values', async (t) => {
  const { context, sqlite, runId } = await followedShop(t, {
    fill: (database) =>
      database.exec(
        `PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL CHECK (v <> 'bad')); INSERT INTO t VALUES (1, 'a')`,
      ),
  });
  sqlite.exec(`PRAGMA ignore_check_constraints = ON; INSERT INTO t VALUES (2, 'bad')`);
  await assert.rejects(
    catchUp(context, runId),
    code('import-follow-refused', /changed rows of t: new row for relation "t" violates check constraint/),
  );
});

test('a log that may miss something is not believed: lost triggers, other columns, an older file, another changelog', async (t) => {
  const { context, sqlite, runId, file } = await followedShop(t);
  const old = join(temporaryFolder(t), 'old.sqlite');
  sqlite.exec(`VACUUM INTO '${old}'; UPDATE tags SET uses = 1`);
  await catchUp(context, runId);
  sqlite.exec('BEGIN; CREATE TABLE slots2 AS SELECT * FROM slots; DROP TABLE slots; ALTER TABLE slots2 RENAME TO slots; COMMIT');
  await assert.rejects(catchUp(context, runId), code('import-follow-broken', /triggers of slots/));
  sqlite.exec('ALTER TABLE people ADD COLUMN more TEXT');
  await assert.rejects(cutOver(context, runId, SWITCH), code('import-follow-broken'));
  sqlite.close();
  for (const suffix of ['-wal', '-shm']) writeFileSync(`${file}${suffix}`, '');
  copyFileSync(old, file);
  await assert.rejects(catchUp(context, runId), code('import-follow-broken', /older copy/));
  removeChangelog(file);
  installChangelog(file).close();
  await assert.rejects(catchUp(context, runId), code('import-follow-broken', /another import/));
  sqlite.open();
});

test('a column that was added is told, for it is in no decision of the import', async (t) => {
  const { context, sqlite, runId } = await followedShop(t);
  sqlite.exec('ALTER TABLE people ADD COLUMN more TEXT');
  await assert.rejects(catchUp(context, runId), code('import-follow-broken', /people has other columns/));
});

test('rows that somebody wrote into the target stop the cut-over, which changes nothing', async (t) => {
  const { context, pool, sqlite, runId } = await followedShop(t);
  await pool.query(`INSERT INTO tags VALUES ('mine', 1, NULL)`);
  await assert.rejects(
    cutOver(context, runId, SWITCH),
    code('import-follow-mismatch', /tags .*40 rows in the source, 41 in the target/),
  );
  await pool.query(`DELETE FROM tags WHERE name = 'mine'; UPDATE tags SET uses = 99 WHERE name = 'Tag1'`);
  await assert.rejects(
    cutOver(context, runId, { ...SWITCH, closeSource: true, verify: 'full' }),
    code('import-follow-mismatch', /tags .*values differ/),
  );
  sqlite.exec(`UPDATE tags SET uses = 98 WHERE name = 'Tag1'`);
  await cutOver(context, runId, { ...SWITCH, verify: 'full' });
  await assertSame(sqlite, pool);
  await assert.rejects(catchUp(context, runId), code('import-follow-state', /cut-over/));
});

test('ending gives the target its foreign keys back and takes everything of ours out of both sides', async (t) => {
  const { context, pool, sqlite, runId } = await followedShop(t);
  const constraints = `SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f' AND conrelid = 'notes'::regclass`;
  assert.deepEqual((await pool.query(constraints)).rows, []);
  const rows = sqliteRows(sqlite, 'notes');
  await stopFollowing(context, runId);
  assert.deepEqual((await pool.query(constraints)).rows, [{ conname: 'notes_person_fkey', convalidated: true }]);
  assert.deepEqual(sqlite.prepare(`SELECT name FROM sqlite_schema WHERE name LIKE 'safekeep%'`).all(), []);
  assert.deepEqual(sqliteRows(sqlite, 'notes'), rows);
  assert.equal(await stopFollowing(context, runId), undefined);
  await assert.rejects(catchUp(context, runId), code('import-follow-missing'));
});

test('rolling the import back ends following: nothing of ours stays in the file', async (t) => {
  const { context, pool, sqlite, runId } = await followedShop(t);
  await rollbackRun(context, { runId, discardChanges: false });
  assert.deepEqual(await relations(pool), []);
  assert.deepEqual(sqlite.prepare(`SELECT name FROM sqlite_schema WHERE name LIKE 'safekeep%'`).all(), []);
  assert.deepEqual((await pool.query('SELECT * FROM safekeep.import_follows')).rows, []);
});

test('a table of somebody else that refers to an imported one is a reason not to follow', async (t) => {
  const { context, run, pool } = await workbench(t);
  const file = sqliteFile(t, `CREATE TABLE t (id INTEGER PRIMARY KEY)`);
  const { runId } = await run(file);
  await pool.query('CREATE TABLE other (t bigint REFERENCES t)');
  await assert.rejects(followRun(context, runId), code('import-follow-referenced', /other/));
  assert.deepEqual(objectsOf(file), ['t']);
});

test('what REPLACE deletes unseen because of an index over an expression is told before', (t) => {
  const file = sqliteFile(t, `CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); CREATE UNIQUE INDEX folded ON t (lower(v))`);
  const { notCaught, close } = installChangelog(file);
  close();
  assert.match(notCaught.join('\n'), /t: a row that REPLACE deletes because of the unique index folded/);
});

test(
  'a file that cannot be written to is refused as such',
  { skip: process.getuid?.() === 0 ? 'root may write to any file' : false },
  (t) => {
    const file = sqliteFile(t, `CREATE TABLE t (id INTEGER PRIMARY KEY)`);
    chmodSync(file, 0o400);
    assert.throws(() => installChangelog(file), code('import-source-read-only'));
  },
);

test('a changelog that a killed import left in the file is taken out by ending to follow that run', async (t) => {
  const { context, run } = await workbench(t);
  const file = sqliteFile(t, `CREATE TABLE t (id INTEGER PRIMARY KEY)`);
  const { runId } = await run(file);
  installChangelog(file).close();
  assert.throws(() => installChangelog(file), code('import-follow-exists'));
  assert.equal((await stopFollowing(context, runId))?.state, 'stopped');
  assert.deepEqual(objectsOf(file), ['t']);
});
