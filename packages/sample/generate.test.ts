import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { only, openPractice, temporaryFolder } from './fixture.ts';
import { generatePractice } from './generate.ts';
import { labels } from './labels/labels.ts';
import { plans } from './sizes.ts';
import { quoted } from './tables.ts';

const folder = await temporaryFolder();
const calls: (readonly [rows: number, total: number])[] = [];
const labelsFile = join(folder, 'labels.json');
const { database, summary } = await openPractice({ labelsFile, onProgress: (rows, total) => calls.push([rows, total]) });

/** SHA-256 over every value of every row of every table. */
function digest(practice: DatabaseSync): string {
  const hash = createHash('sha256');
  for (const table of Object.keys(summary.tables).toSorted()) {
    const statement = practice.prepare(`SELECT * FROM ${quoted(table)}`);
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    hash.update(`\n${table}\n`);
    for (const row of statement.iterate()) {
      for (const value of Object.values(row)) {
        if (value instanceof Uint8Array) hash.update(value);
        hash.update(`${typeof value}:${String(value)}\0`);
      }
    }
  }
  return hash.digest('hex');
}

function refusedAs(code: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isSafekeepError(error), String(error));
    assert.equal(error.code, code);
    return true;
  };
}

test('a small practice has at least 1,200 patients and 12,000 bookings', () => {
  assert.ok((summary.tables['patients'] ?? 0) >= 1200);
  assert.ok((summary.tables['bookings'] ?? 0) >= 12_000);
});

test('the medium size is ten small ones', () => {
  assert.equal(plans.medium.patients, plans.small.patients * 10);
  assert.equal(plans.medium.bookings, plans.small.bookings * 10);
});

test('the summary counts what is there', () => {
  for (const [table, count] of Object.entries(summary.tables)) {
    assert.equal(only(database, `SELECT count(*) FROM ${quoted(table)}`), count, table);
  }
  assert.equal(
    summary.rows,
    Object.values(summary.tables).reduce((sum, count) => sum + count, 0),
  );
  assert.equal(summary.sizeBytes, readFileSync(summary.file).length);
});

test('the file is sound and every foreign key leads somewhere', () => {
  assert.equal(only(database, 'PRAGMA integrity_check'), 'ok');
  assert.deepEqual(database.prepare('PRAGMA foreign_key_check').all(), []);
  assert.equal(only(database, 'PRAGMA journal_mode'), 'delete');
});

test('the same seed gives the same rows, and replaces what a killed run left', async () => {
  const file = join(folder, 'again.db');
  writeFileSync(`${file}.partial`, 'half a practice');
  const { database: again } = await openPractice({ file, seed: summary.seed });
  assert.equal(digest(again), digest(database));
  assert.ok(!readdirSync(folder).includes('again.db.partial'));
});

test('another seed gives other rows, even below zero', async () => {
  const { database: other } = await openPractice({ seed: -1 });
  assert.notEqual(digest(other), digest(database));
  assert.deepEqual(other.prepare('PRAGMA foreign_key_check').all(), []);
});

test('a seed that is no integer is a bug', async () => {
  await assert.rejects(generatePractice({ file: join(folder, 'half.db'), size: 'small', seed: 0.5 }), RangeError);
});

test('progress grows, its total is right within 3 percent, and it ends at all rows', () => {
  assert.ok(calls.length > 10);
  for (const [index, [rows, total]] of calls.entries()) {
    assert.ok(rows >= (calls[index - 1]?.[0] ?? 0));
    assert.ok(rows <= total);
    assert.ok(Math.abs(total / summary.rows - 1) < 0.03, `${total} for ${summary.rows}`);
  }
  assert.deepEqual(calls.at(-1), [summary.rows, summary.rows]);
});

test('the labels stand beside the file when asked for', () => {
  assert.deepEqual(JSON.parse(readFileSync(labelsFile, 'utf8')), labels);
});

test('a file that exists is refused and not touched', async () => {
  const file = join(folder, 'mine.db');
  writeFileSync(file, 'mine');
  await assert.rejects(generatePractice({ file, size: 'small' }), refusedAs('file-exists'));
  assert.equal(readFileSync(file, 'utf8'), 'mine');
});

test('a folder that does not exist is told as such', async () => {
  await assert.rejects(generatePractice({ file: join(folder, 'nowhere', 'a.db'), size: 'small' }), refusedAs('file-unwritable'));
});

test('labels that cannot be written leave no practice behind', async () => {
  const empty = join(folder, 'empty');
  await mkdir(empty);
  const request = { file: join(empty, 'a.db'), size: 'small', labelsFile: join(folder, 'nowhere', 'labels.json') } as const;
  await assert.rejects(generatePractice(request), refusedAs('file-unwritable'));
  assert.deepEqual(readdirSync(empty), []);
});

test('an interrupted run leaves nothing behind', async () => {
  const interrupted = join(folder, 'interrupted');
  await mkdir(interrupted);
  const controller = new AbortController();
  const request = {
    file: join(interrupted, 'a.db'),
    size: 'small',
    signal: controller.signal,
    onProgress: () => controller.abort(),
  } as const;
  await assert.rejects(generatePractice(request), refusedAs('interrupted'));
  assert.deepEqual(readdirSync(interrupted), []);
});

test('orphans are there only when asked for, and the file is sound all the same', async () => {
  const { database: broken } = await openPractice({ orphans: true });
  const parents = new Set(
    broken
      .prepare('PRAGMA foreign_key_check')
      .all()
      .map((row) => `${String(row['table'])} -> ${String(row['parent'])}`),
  );
  assert.deepEqual([...parents].toSorted(), [
    'clinical_notes -> bookings',
    'invoices -> bookings',
    'prescriptions -> bookings',
    'prescriptions -> staff',
    'treatments -> bookings',
  ]);
  assert.equal(only(broken, 'PRAGMA integrity_check'), 'ok');
});

test('the application could go on with the file: triggers keep time, search and paid invoices', () => {
  const copy = join(folder, 'copy.db');
  copyFileSync(summary.file, copy);
  using writable = new DatabaseSync(copy);
  const before = only(writable, 'SELECT updated_at FROM patients WHERE id = 1');
  writable.exec("UPDATE patients SET language = 'is' WHERE id = 1");
  assert.notEqual(only(writable, 'SELECT updated_at FROM patients WHERE id = 1'), before);
  writable.exec("UPDATE clinical_notes SET body = 'Zwergelstern' WHERE id = 1");
  assert.equal(only(writable, "SELECT rowid FROM notes_search WHERE notes_search MATCH 'zwergelstern'"), 1);
  writable.exec("INSERT INTO notes_search (notes_search) VALUES ('integrity-check')");
  assert.throws(() => writable.exec("DELETE FROM invoices WHERE status = 'paid'"), /a paid invoice cannot be deleted/);
});

test(
  'the large size has about 1.5 million rows in about 360 MB',
  { skip: process.env['SAFEKEEP_TEST_LONG'] === '1' ? false : 'skipped: SAFEKEEP_TEST_LONG is not 1' },
  async () => {
    const { database: large, summary: counted } = await openPractice({ size: 'large' });
    assert.ok(Math.abs(counted.rows - 1_500_000) < 50_000, `${counted.rows} rows`);
    assert.ok(Math.abs(counted.sizeBytes - 360e6) < 20e6, `${counted.sizeBytes} bytes`);
    assert.deepEqual(large.prepare('PRAGMA foreign_key_check').all(), []);
  },
);
