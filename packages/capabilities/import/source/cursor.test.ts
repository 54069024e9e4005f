import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { readSourceSchema } from '../objects/index.ts';
import { sqliteFile, temporaryFolder } from '../testing/workbench.ts';
import type { RowCursor } from './cursor.ts';
import { openTable, tableReading } from './open-table.ts';
import { recordBytes } from './record-bytes.ts';
import { openSnapshot, type SourceSnapshot } from './snapshot.ts';
import { SqlCursor } from './sql-cursor.ts';

/** Every row of every table, read from the pages and read by SELECT: the same records in the same order. */
function assertSameRows(snapshot: SourceSnapshot): number {
  let rows = 0;
  for (const table of readSourceSchema(snapshot.sqlite).tables.filter(({ loadable }) => loadable)) {
    const columns = table.columns.filter(({ hidden }) => !hidden);
    const pages = openTable(snapshot.sqlite, snapshot.address.descriptors, tableReading(snapshot.sqlite, table, columns));
    const select = new SqlCursor(
      snapshot.sqlite,
      table.name,
      columns.map(({ name }) => name),
    );
    rows += compare(pages, select, table.name);
  }
  return rows;
}

function compare(pages: RowCursor, select: RowCursor, table: string): number {
  let rows = 0;
  while (select.next()) {
    assert.ok(pages.next(), `${table} ends after ${rows} rows when it is read from the pages`);
    const [one, other] = [recordBytes(pages), recordBytes(select)];
    assert.ok(
      one.equals(other),
      `${table}, row ${rows}: ${one.toString('hex').slice(0, 200)} instead of ${other.toString('hex').slice(0, 200)}`,
    );
    rows += 1;
  }
  assert.ok(!pages.next(), `${table} has more rows in its pages`);
  return rows;
}

function withSnapshot<Result>(file: string, use: (snapshot: SourceSnapshot) => Result): Result {
  const snapshot = openSnapshot(file);
  try {
    return use(snapshot);
  } finally {
    snapshot.close();
  }
}

const value: fc.Arbitrary<SQLInputValue> = fc.oneof(
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.integer({ min: -70_000, max: 70_000 }),
  fc.double({ noNaN: true }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.uint8Array({ maxLength: 40 }),
  fc.integer({ min: 100, max: 9_000 }).map((length) => 'überlang '.repeat(length / 8)),
  fc.integer({ min: 100, max: 9_000 }).map((length) => new Uint8Array(length).fill(7)),
);

test('pages give the same rows as SELECT, for any values, page size, encoding and kind of table', (t) => {
  const pageSize = fc.constantFrom(512, 1_024, 4_096, 65_536);
  const encoding = fc.constantFrom('UTF-8', 'UTF-16le', 'UTF-16be');
  fc.assert(
    fc.property(
      pageSize,
      encoding,
      fc.boolean(),
      fc.array(fc.tuple(value, value, value), { maxLength: 60 }),
      (size, text, withoutRowid, rows) => {
        const file = sqliteFile(t, (database) => {
          database.exec(`PRAGMA page_size = ${size}; PRAGMA encoding = '${text}'`);
          database.exec(
            `CREATE TABLE mixed (a, b REAL, c TEXT, key TEXT${withoutRowid ? ', PRIMARY KEY (key)) WITHOUT ROWID' : ')'}`,
          );
          const insert = database.prepare('INSERT INTO mixed VALUES (?, ?, ?, ?)');
          rows.forEach(([a, b, c], index) => insert.run(a, b, c, `${(index * 7_919) % 1_000}-${index}`));
        });
        assert.equal(withSnapshot(file, assertSameRows), rows.length);
      },
    ),
    { numRuns: 60 },
  );
});

test('a table of many pages, with holes, overflow and all widths of integers is read whole', (t) => {
  const file = sqliteFile(t, (database) => {
    database.exec(
      'PRAGMA page_size = 512; CREATE TABLE wide (id INTEGER PRIMARY KEY, n INTEGER, t TEXT); CREATE TABLE keyed (k TEXT, n INTEGER, t TEXT, PRIMARY KEY (t, k)) WITHOUT ROWID',
    );
    const insert = database.prepare('INSERT INTO wide VALUES (?, ?, ?)');
    const keyed = database.prepare('INSERT INTO keyed VALUES (?, ?, ?)');
    database.exec('BEGIN');
    for (let row = 0; row < 5_000; row += 1) {
      insert.run(row * 3 - 4_000, (row % 2 === 0 ? 1n : -1n) * 2n ** BigInt(row % 63), 'x'.repeat((row * 37) % 1_500));
      keyed.run(`k${(row * 7_919) % 5_000}`, row, 'y'.repeat(row % 400));
    }
    database.exec('COMMIT; DELETE FROM wide WHERE id % 7 = 0; INSERT INTO wide VALUES (9223372036854775807, 1, NULL)');
  });
  assert.equal(withSnapshot(file, assertSameRows), 9_286);
});

test('columns that ALTER TABLE added later have their default in older rows', (t) => {
  const file = sqliteFile(t, (database) => {
    database.exec('CREATE TABLE grown (id INTEGER PRIMARY KEY, a TEXT)');
    database.exec("INSERT INTO grown VALUES (1, 'one'), (2, NULL)");
    database.exec("ALTER TABLE grown ADD COLUMN b TEXT DEFAULT 'it''s'");
    database.exec('ALTER TABLE grown ADD COLUMN c REAL DEFAULT 3');
    database.exec("ALTER TABLE grown ADD COLUMN d BLOB DEFAULT x'00ff'");
    database.exec('ALTER TABLE grown ADD COLUMN e INTEGER DEFAULT -9007199254740993');
    database.exec('ALTER TABLE grown ADD COLUMN f');
    database.exec("INSERT INTO grown VALUES (3, 'three', 'b', 1.5, x'', 7, 8)");
  });
  assert.equal(withSnapshot(file, assertSameRows), 3);
});

test('what stands in the write-ahead log beside the file is read with it, and nothing is written beside the source', (t) => {
  const folder = temporaryFolder(t);
  const live = join(folder, 'live.sqlite');
  const writer = new DatabaseSync(live);
  writer.exec('PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)');
  writer.exec(
    "INSERT INTO t VALUES (1, 'in the file'); PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES (2, 'in the log'); UPDATE t SET v = 'changed in the log' WHERE id = 1",
  );
  const seen = withSnapshot(live, (snapshot) => {
    assert.equal(snapshot.address.mode, 'live');
    // A commit after the snapshot belongs to the next one.
    writer.exec("INSERT INTO t VALUES (3, 'later')");
    return assertSameRows(snapshot);
  });
  assert.equal(seen, 2);

  const copied = join(folder, 'copied.sqlite');
  copyFileSync(live, copied);
  copyFileSync(`${live}-wal`, `${copied}-wal`);
  writer.close();
  assert.equal(
    withSnapshot(copied, (snapshot) => {
      assert.equal(snapshot.address.mode, 'copied');
      return assertSameRows(snapshot);
    }),
    3,
  );
});

test('computed columns and the rows of virtual tables are read by SELECT', (t) => {
  const file = sqliteFile(
    t,
    `CREATE TABLE g (a INTEGER, b INTEGER AS (a * 2) VIRTUAL, c TEXT AS (a || '!') STORED); INSERT INTO g (a) VALUES (1), (2);
     CREATE VIRTUAL TABLE f USING fts5(title, body); INSERT INTO f VALUES ('one', 'two'), ('three', NULL)`,
  );
  assert.equal(withSnapshot(file, assertSameRows), 4);
});
