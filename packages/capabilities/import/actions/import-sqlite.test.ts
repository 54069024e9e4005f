import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { testServers } from '@safekeep/postgres/testing';
import type { ImportResult, TableResult } from '../model.ts';
import { importOptions, relations, sqliteFile, temporaryFolder, workbench } from '../testing/workbench.ts';
import { planImport } from './import-sqlite.ts';
import { discardKept } from './discard-kept.ts';
import { rollbackRun } from './rollback-run.ts';
import { verifyRun } from './verify-run.ts';

function tableOf(result: ImportResult, source: string): TableResult {
  const table = result.tables.find((one) => one.source === source);
  assert.ok(table, `${source} is in the result`);
  return table;
}

function typeOf(result: ImportResult, table: string, column: string): string | undefined {
  return tableOf(result, table).columns.find(({ source }) => source === column)?.type;
}

/** Done, every row accounted for, both digests there and equal. */
function assertProven(result: ImportResult): void {
  assert.deepEqual(result.problems, []);
  assert.equal(result.state, 'done');
  for (const table of result.tables) {
    assert.equal(table.rowsRead, table.rowsWritten + table.quarantined, table.source);
    assert.ok(table.sourceDigest !== null && table.sourceDigest === table.targetDigest, `${table.source} is proven`);
  }
}

const code = (expected: Parameters<typeof isSafekeepError>[1]) => (error: unknown) => {
  assert.ok(isSafekeepError(error), String(error));
  assert.equal(error.code, expected, error.message);
  return true;
};

for (const server of testServers()) {
  const on = `on PostgreSQL ${server.name}`;

  test(`each storage class and declared type gets the type that holds every value, ${on}`, async (t) => {
    const { run, pool } = await workbench(t, server);
    const file = sqliteFile(
      t,
      `CREATE TABLE v (id INTEGER PRIMARY KEY, n INTEGER, big INTEGER, r REAL, price NUMERIC(10,2), loose DECIMAL(4,1), yes BOOLEAN, word BOOLEAN,
         day DATE, at DATETIME, moment TIMESTAMP, four DATE, mixed INTEGER, half INTEGER, raw BLOB, textblob BLOB, both TEXT, odd WHATEVER, plain);
       INSERT INTO v VALUES (1, -5, 9223372036854775807, 1.5, 12.5, 1.25, 1, 'true', '2020-02-29', '2020-01-01 10:00:00', '2020-01-01T10:00:00.123456+02:00',
         '2020-01-01', 1, 1, x'00ff', 'dGV4dA==', 'text', 5, 5.0);
       INSERT INTO v VALUES (2, 0, -9223372036854775808, -9e999, 99999999.99, 100000, 0, 'false', '0001-01-01', '9999-12-31 23:59:59', '1969-12-31T23:59:59Z',
         '01.02.2020', 'two', 2.5, NULL, 'x', x'ff', 'seven', '5');
       INSERT INTO v VALUES (3, NULL, 9007199254740993, 5, 1, -0.1, NULL, NULL, NULL, '1750-06-15 00:00:00', NULL, 1577836800, 3.5, 3, x'', NULL, NULL, NULL, NULL)`,
    );
    const result = await run(file);
    assertProven(result);
    const types = Object.fromEntries(tableOf(result, 'v').columns.map(({ source, type }) => [source, type]));
    assert.deepEqual(types, {
      id: 'bigint',
      n: 'bigint',
      big: 'bigint',
      r: 'double precision',
      price: 'numeric(10,2)',
      loose: 'numeric',
      yes: 'boolean',
      word: 'boolean',
      day: 'date',
      at: 'timestamp',
      moment: 'timestamptz',
      four: 'text',
      mixed: 'text',
      half: 'numeric',
      raw: 'bytea',
      textblob: 'bytea',
      both: 'bytea',
      odd: 'text',
      plain: 'text',
    });
    const { rows } = await pool.query(
      `SELECT big::text, r::text, price::text, loose::text, yes, word, day::text, at::text, (moment AT TIME ZONE 'UTC')::text AS moment, four, mixed, half::text,
              encode(raw, 'hex') AS raw, convert_from(textblob, 'UTF8') AS textblob, encode("both", 'hex') AS "both", odd, plain FROM v ORDER BY id`,
    );
    assert.deepEqual(rows, [
      {
        big: '9223372036854775807',
        r: '1.5',
        price: '12.50',
        loose: '1.25',
        yes: true,
        word: true,
        day: '2020-02-29',
        at: '2020-01-01 10:00:00',
        moment: '2020-01-01 08:00:00.123456',
        four: '2020-01-01',
        mixed: '1',
        half: '1',
        raw: '00ff',
        textblob: 'dGV4dA==',
        both: '74657874',
        odd: '5',
        plain: '5.0',
      },
      {
        big: '-9223372036854775808',
        r: '-Infinity',
        price: '99999999.99',
        loose: '100000',
        yes: false,
        word: false,
        day: '0001-01-01',
        at: '9999-12-31 23:59:59',
        moment: '1969-12-31 23:59:59',
        four: '01.02.2020',
        mixed: 'two',
        half: '2.5',
        raw: null,
        textblob: 'x',
        both: 'ff',
        odd: 'seven',
        plain: '5',
      },
      {
        big: '9007199254740993',
        r: '5',
        price: '1.00',
        loose: '-0.1',
        yes: null,
        word: null,
        day: null,
        at: '1750-06-15 00:00:00',
        moment: null,
        four: '1577836800',
        mixed: '3.5',
        half: '3',
        raw: '',
        textblob: null,
        both: null,
        odd: null,
        plain: null,
      },
    ]);
  });

  test(`every kind of table comes over whole: without rowid, strict, of one column, empty, virtual, with computed columns, ${on}`, async (t) => {
    const { run, pool } = await workbench(t, server);
    const file = sqliteFile(
      t,
      `CREATE TABLE wr (b TEXT, a INTEGER, c, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO wr VALUES ('x', 2, 1.5), ('y', 1, NULL), ('x', 1, 'c');
       CREATE TABLE s (id INT PRIMARY KEY, t TEXT NOT NULL, a ANY) STRICT; INSERT INTO s VALUES (1, '', 'a'), (2, 'b', 2);
       CREATE TABLE one (x); INSERT INTO one VALUES (1), (1), (NULL), (1);
       CREATE TABLE none (x INTEGER PRIMARY KEY, y TEXT, z DATETIME);
       CREATE TABLE g (a INTEGER, twice INTEGER AS (a * 2) VIRTUAL, shout TEXT AS (a || '!') STORED); INSERT INTO g (a) VALUES (1), (NULL), (3);
       CREATE VIRTUAL TABLE f USING fts5(title, body); INSERT INTO f VALUES ('one', 'two'), ('three', NULL);
       CREATE VIRTUAL TABLE r USING rtree(id, x0, x1); INSERT INTO r VALUES (1, 1.5, 2.5)`,
    );
    const result = await run(file);
    assertProven(result);
    assert.deepEqual(
      result.tables
        .map(({ source, rowsWritten }) => [source, rowsWritten])
        .toSorted(([a], [b]) => String(a).localeCompare(String(b))),
      [
        ['f', 2],
        ['g', 3],
        ['none', 0],
        ['one', 4],
        ['r', 1],
        ['s', 2],
        ['wr', 3],
      ],
    );
    const { rows } = await pool.query('SELECT a, twice, shout FROM g ORDER BY a');
    assert.deepEqual(
      rows.map((row) => Object.values(row)),
      [
        ['1', '2', '1!'],
        ['3', '6', '3!'],
        [null, null, null],
      ],
    );
    const states = new Set(result.objects.map(({ kind, name }) => `${kind} ${name}`));
    assert.equal(states.size, result.objects.length, 'no object is listed twice');
  });

  test(`names of every kind stand exactly as in the file, and long ones that collide stay apart, ${on}`, async (t) => {
    const { run, pool } = await workbench(t, server);
    const long = 'a_very_long_name_that_goes_on_beyond_the_limit_of_postgresql_x';
    const file = sqliteFile(
      t,
      `CREATE TABLE "Order Details" ("select" INTEGER PRIMARY KEY, "Größe" TEXT, "it""s" TEXT, "a.b" TEXT, "${long}xx1" INTEGER, "${long}xx2" INTEGER);
       INSERT INTO "Order Details" VALUES (1, 'ä', 'quote', 'dot', 1, 2); CREATE TABLE "table" ("user" TEXT); CREATE TABLE Übung (ID INTEGER); INSERT INTO Übung VALUES (7)`,
    );
    const result = await run(file);
    assertProven(result);
    const { rows } = await pool.query(`SELECT * FROM "Order Details"`);
    assert.deepEqual(Object.values(rows[0]), ['1', 'ä', 'quote', 'dot', '1', '2']);
    assert.ok(Object.keys(rows[0]).every((name) => Buffer.byteLength(name) <= 63));
    assert.deepEqual((await pool.query('SELECT "ID" FROM "Übung"')).rows, [{ ID: '7' }]);
    assert.equal(result.names.filter(({ kind }) => kind === 'column').length, 2);
  });

  test(`a NUL or invalid UTF-8 refuses the whole import and lists every row; quarantine keeps the rows whole, ${on}`, async (t) => {
    const { run, pool, context } = await workbench(t, server);
    const file = sqliteFile(
      t,
      `CREATE TABLE p (id INTEGER PRIMARY KEY, t TEXT, b BLOB, n INTEGER);
       INSERT INTO p VALUES (1, 'fine', x'00', 5), (2, 'a' || char(0) || 'b', x'01', 6), (3, CAST(x'636166e9' AS TEXT), NULL, -7), (4, 'ok', NULL, NULL), (9, CAST(x'80' AS TEXT), NULL, 9007199254740993)`,
    );
    const refused = await run(file);
    assert.equal(refused.state, 'failed');
    assert.equal(refused.rejected, 3);
    assert.deepEqual(
      refused.rejectedRows.map(({ rowid, columns }) => [rowid, columns]),
      [
        ['2', ['t']],
        ['3', ['t']],
        ['9', ['t']],
      ],
    );
    assert.deepEqual(await relations(pool), []);

    const kept = await run(file, { onInvalid: 'quarantine' });
    assertProven(kept);
    const table = tableOf(kept, 'p');
    assert.deepEqual([table.rowsRead, table.rowsWritten, table.quarantined], [5, 2, 3]);
    const { rows } = await pool.query(
      `SELECT rowid::text, encode(record, 'hex') AS record FROM safekeep.import_quarantine ORDER BY ordinal`,
    );
    // Header (5 bytes: integer, text of 4, NULL, integer), 3, the four bytes as they were, -7.
    assert.deepEqual(rows[1], { rowid: '3', record: ['0506150006', '0000000000000003', '636166e9', 'fffffffffffffff9'].join('') });
    assert.ok((await verifyRun(context, kept.runId)).ok);
  });

  test(`dates that are none, mixed offsets and fractions too fine keep a column text, ${on}`, async (t) => {
    const { run } = await workbench(t, server);
    const file = sqliteFile(
      t,
      `CREATE TABLE d (no_day DATE, mixed DATETIME, fine DATETIME, minute DATETIME, clock TIME, late DATETIME, stamp DATETIME, declared_text TEXT);
       INSERT INTO d VALUES ('2020-02-29', '2020-01-01 10:00:00', '2020-01-01 10:00:00.123456', '2020-01-01 10:00', '10:00:00', '2020-01-01 24:00:00', 1577836800, '2020-01-01');
       INSERT INTO d VALUES ('2021-02-29', '2020-01-01 10:00:00Z', '2020-01-01 10:00:00.1234567', '2020-01-02T10:01', '23:59:59.5', '2020-01-01 10:00:60', 1577836801, '2020-01-02')`,
    );
    const result = await run(file);
    assertProven(result);
    const types = tableOf(result, 'd').columns.map(({ type }) => type);
    assert.deepEqual(types, ['text', 'text', 'text', 'timestamp', 'time', 'text', 'bigint', 'text']);
    const proposals = Object.fromEntries(
      tableOf(result, 'd').columns.flatMap(({ source, proposal }) =>
        proposal === undefined ? [] : [[source, proposal.split(' ')[0]]],
      ),
    );
    assert.deepEqual(proposals, { stamp: 'timestamptz:unix-s', declared_text: 'date' });
  });

  test(`a type that was asked for is taken where every value fits, and refused with the first row where one does not, ${on}`, async (t) => {
    const { run, pool } = await workbench(t, server);
    const file = sqliteFile(
      t,
      `CREATE TABLE e (id INTEGER PRIMARY KEY, at INTEGER, ms INTEGER, doc TEXT, code TEXT);
       INSERT INTO e VALUES (1, 1577836800, 1577836800123, '{"a": 1}', '10'), (2, 0, -1, '[ ]', 'x')`,
    );
    await assert.rejects(run(file, { types: ['e.code=bigint'] }), code('import-type-unfit'));
    await assert.rejects(run(file, { types: ['e.nothing=bigint'] }), code('usage'));
    assert.deepEqual(await relations(pool), []);
    const result = await run(file, { types: ['e.at=timestamptz:unix-s', 'e.ms=timestamptz:unix-ms', 'e.doc=json'] });
    assertProven(result);
    const { rows } = await pool.query(
      `SELECT extract(epoch FROM at)::text AS at, extract(epoch FROM ms)::text AS ms, doc::text FROM e ORDER BY id`,
    );
    assert.deepEqual(rows, [
      { at: '1577836800.000000', ms: '1577836800.123000', doc: '{"a": 1}' },
      { at: '0.000000', ms: '-0.001000', doc: '[ ]' },
    ]);
  });

  test(`data that breaks its own constraints is loaded, proven, and what PostgreSQL refused is told, ${on}`, async (t) => {
    const { run, pool } = await workbench(t, server);
    const file = sqliteFile(
      t,
      `CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT UNIQUE COLLATE NOCASE);
       CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent(id), boss INTEGER REFERENCES child(id) DEFERRABLE INITIALLY DEFERRED);
       INSERT INTO parent VALUES (1, 'a'), (2, 'b'); INSERT INTO child VALUES (1, 1, 2), (2, 99, 1), (3, NULL, NULL)`,
    );
    const result = await run(file);
    assertProven(result);
    const keys = result.objects.filter(({ kind }) => kind === 'foreign-key');
    assert.deepEqual(keys.map(({ state }) => state).toSorted(), ['changed', 'migrated']);
    const { rows } = await pool.query(
      `SELECT convalidated FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY convalidated`,
    );
    assert.deepEqual(rows, [{ convalidated: false }, { convalidated: true }]);
  });

  test(`--replace keeps what stood there, and a rollback brings it back as it was, ${on}`, async (t) => {
    const { run, pool, context } = await workbench(t, server);
    await pool.query(`CREATE TABLE t (old text); INSERT INTO t VALUES ('kept'); CREATE TABLE other (x int)`);
    const file = sqliteFile(
      t,
      `CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT); INSERT INTO t VALUES (1, 'new'); CREATE VIEW w AS SELECT v FROM t`,
    );
    await assert.rejects(run(file), code('import-target-occupied'));
    const result = await run(file, { replace: true });
    assertProven(result);
    assert.deepEqual((await pool.query('SELECT * FROM w')).rows, [{ v: 'new' }]);
    assert.equal((await pool.query(`INSERT INTO t (v) VALUES ('next') RETURNING id`)).rows[0].id, '2');

    await assert.rejects(rollbackRun(context, { runId: result.runId, discardChanges: false }), code('import-rollback-changed'));
    assert.deepEqual((await pool.query('SELECT count(*)::int AS rows FROM t')).rows, [{ rows: 2 }]);
    await pool.query('CREATE VIEW built_on_it AS SELECT v FROM t');
    await assert.rejects(rollbackRun(context, { runId: result.runId, discardChanges: true }), (error) => {
      assert.ok(isSafekeepError(error, 'import-rollback-dependents'));
      assert.match(error.message, /view built_on_it depends on table t/);
      return true;
    });
    await pool.query('DROP VIEW built_on_it');
    await rollbackRun(context, { runId: result.runId, discardChanges: true });
    assert.deepEqual((await pool.query('SELECT * FROM t')).rows, [{ old: 'kept' }]);
    assert.deepEqual(await relations(pool), ['public.other', 'public.t']);
    await assert.rejects(rollbackRun(context, { runId: result.runId, discardChanges: true }), code('import-run-state'));
  });
}

test('what --replace put aside can be deleted for good, and a table that Safekeep protects is not replaced', async (t) => {
  const { run, pool, context } = await workbench(t);
  await pool.query(`CREATE TABLE t (old text); INSERT INTO t VALUES ('kept')`);
  const file = sqliteFile(t, `CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'new')`);
  const { runId } = await run(file, { replace: true });
  const left = (): Promise<unknown> =>
    pool.query(`SELECT FROM pg_namespace WHERE nspname LIKE 'safekeep\\_kept%'`).then(({ rowCount }) => rowCount);
  assert.equal(await left(), 1);
  assert.deepEqual(await discardKept(context, runId), { runId, tables: 1 });
  assert.equal(await left(), 0);
  await assert.rejects(discardKept(context, runId), code('import-run-state'));
  for (const [protect, lift] of [
    [
      `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'begin return null; end';
       CREATE TRIGGER safekeep_audit_insert AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION note()`,
      'DROP FUNCTION note CASCADE',
    ],
    ['ALTER TABLE t ADD CONSTRAINT zz_safekeep_sealed_1 CHECK (true)', 'ALTER TABLE t DROP CONSTRAINT zz_safekeep_sealed_1'],
  ] as const) {
    await pool.query(protect);
    await assert.rejects(run(file, { replace: true }), code('import-replace-protected'));
    await pool.query(lift);
  }
  assert.equal((await run(file, { replace: true })).state, 'done');
});

test('a plan says what would happen and writes nothing', async (t) => {
  const { context, pool } = await workbench(t);
  const file = sqliteFile(t, `CREATE TABLE t (id INTEGER PRIMARY KEY, at INTEGER); INSERT INTO t VALUES (1, 1577836800)`);
  const result = await planImport(context, importOptions(file));
  assert.equal(result.state, 'planned');
  assert.equal(tableOf(result, 't').rowsRead, 1);
  assert.equal(typeOf(result, 't', 'at'), 'bigint');
  assert.deepEqual(await relations(pool), []);
  assert.deepEqual((await pool.query('SELECT count(*)::int AS runs FROM safekeep.import_runs')).rows, [{ runs: 0 }]);
});

test('a plan of an import that would be refused is a plan that says so', async (t) => {
  const { context, pool } = await workbench(t);
  await pool.query('CREATE TABLE t (x int)');
  const file = sqliteFile(t, "CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('a' || char(0))");
  const result = await planImport(context, importOptions(file));
  assert.equal(result.state, 'planned');
  assert.deepEqual(
    result.rejectedRows.map(({ rowid, columns }) => ({ rowid, columns })),
    [{ rowid: '1', columns: ['x'] }],
  );
  assert.match(result.problems.join('\n'), /t \(table\)[\s\S]*--replace[\s\S]*1 row\(s\) hold texts/);
  const allowed = await planImport(context, importOptions(file, { replace: true, onInvalid: 'quarantine' }));
  assert.deepEqual(allowed.problems, []);
});

test('a schema whose name is not free to take is refused before anything is read', async (t) => {
  const { context, run, pool } = await workbench(t);
  const file = sqliteFile(t, 'CREATE TABLE t (x)');
  for (const schema of ['pg_catalog', 'pg_mine', 'information_schema', 'safekeep', 'safekeep_jobs', '', 'é'.repeat(32)]) {
    await assert.rejects(run(file, { schema }), code('usage'), schema);
    await assert.rejects(planImport(context, importOptions(file, { schema })), code('usage'), schema);
  }
  assert.deepEqual(await relations(pool), []);
  assert.equal((await run(file, { schema: 'safe keepers' })).state, 'done');
});

test('strict types refuse a widened column and create nothing', async (t) => {
  const { run, pool } = await workbench(t);
  const file = sqliteFile(t, `CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), ('one')`);
  await assert.rejects(run(file, { strictTypes: true }), code('import-strict-types'));
  assert.deepEqual(await relations(pool), []);
});

test('what is no usable SQLite database is refused with the reason', async (t) => {
  const { run } = await workbench(t);
  const folder = temporaryFolder(t);
  const write = (name: string, bytes: Buffer | string): string => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  await assert.rejects(run(join(folder, 'missing')), code('file-unreadable'));
  await assert.rejects(run(folder), code('file-unreadable'));
  await assert.rejects(run(write('empty', '')), code('import-source-empty'));
  await assert.rejects(run(write('text', 'id,name\n1,a\n')), code('import-source-not-sqlite'));
  await assert.rejects(
    run(write('encrypted', createHash('shake256', { outputLength: 8_192 }).update('x').digest())),
    code('import-source-not-sqlite'),
  );
  await assert.rejects(run(sqliteFile(t, 'CREATE TABLE t (x); DROP TABLE t')), code('import-source-no-tables'));
  await assert.rejects(
    run(sqliteFile(t, `CREATE TABLE t (${Array.from({ length: 2_000 }, (_, index) => `c${index}`).join(', ')})`)),
    code('import-blocked'),
  );
});

test('a damaged page is told and nothing stays behind', async (t) => {
  const { run, pool } = await workbench(t);
  const file = sqliteFile(t, (database) => {
    database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)');
    const insert = database.prepare('INSERT INTO t VALUES (?, ?)');
    for (let row = 1; row <= 500; row += 1) insert.run(row, 'x'.repeat(400));
  });
  const whole = readFileSync(file);
  for (const damage of [
    (bytes: Buffer) => bytes.fill(0xff, 4_096 * 5, 4_096 * 5 + 200),
    (bytes: Buffer) => bytes.fill(0, 4_096 * 7, 4_096 * 8),
  ]) {
    const bytes = Buffer.from(whole);
    damage(bytes);
    writeFileSync(file, bytes);
    await assert.rejects(run(file), code('import-source-corrupt'));
  }
  writeFileSync(file, whole);
  truncateSync(file, 4_096 * 20);
  await assert.rejects(run(file), code('import-source-corrupt'));
  assert.deepEqual(await relations(pool), []);
});

test('the source is not written to, not even beside it', async (t) => {
  const { run } = await workbench(t);
  const file = sqliteFile(t, (database) =>
    database.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)'),
  );
  const before = { bytes: readFileSync(file), time: statSync(file).mtimeMs, beside: readdirSync(dirname(file)) };
  assertProven(await run(file));
  assert.ok(readFileSync(file).equals(before.bytes));
  assert.equal(statSync(file).mtimeMs, before.time);
  assert.deepEqual(readdirSync(dirname(file)), before.beside);
});

test('a database in use is imported as of one moment, log included', async (t) => {
  const { run, pool } = await workbench(t);
  const file = join(temporaryFolder(t), 'live.sqlite');
  const writer = new DatabaseSync(file);
  t.after(() => writer.close());
  writer.exec(
    `PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b')`,
  );
  assertProven(await run(file));
  assert.deepEqual((await pool.query('SELECT v FROM t ORDER BY id')).rows, [{ v: 'a' }, { v: 'b' }]);
});

test('a database that is written to without pause is imported all the same, as of one moment', async (t) => {
  const { run } = await workbench(t);
  const file = join(temporaryFolder(t), 'busy.sqlite');
  const writer = new DatabaseSync(file);
  t.after(() => writer.close());
  writer.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE t (id INTEGER PRIMARY KEY, twice INTEGER)');
  const insert = writer.prepare('INSERT INTO t VALUES (?, ?)');
  let id = 0;
  const writing = setInterval(() => insert.run((id += 1), id * 2), 1);
  t.after(() => clearInterval(writing));
  const result = await run(file);
  clearInterval(writing);
  assertProven(result);
  assert.ok(tableOf(result, 't').rowsRead <= id);
});
