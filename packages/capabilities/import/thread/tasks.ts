import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { sourceDigest, type SourceTable } from '../prove/source-digest.ts';
import type { TableDigest } from '../prove/digest-form.ts';
import { scanTable, type TableFacts } from '../scan/scan-table.ts';
import { openTable, type TableReading } from '../source/open-table.ts';
import { quoteSqlite } from '../source/quote.ts';
import type { SnapshotAddress } from '../source/snapshot.ts';

/** What a thread beside the main one can be asked for; all of it only reads the source. */
export type Tasks = {
  /** Answered as soon as the thread sees the state of the snapshot. */
  /** The first one: to see the same state as the snapshot. Refused with {@link SnapshotMoved} where a writer was faster. */
  readonly join: { readonly ask: SnapshotAddress; readonly answer: true };
  readonly scan: { readonly ask: TableReading; readonly answer: TableFacts };
  readonly sha256: { readonly ask: { readonly sizeBytes: number; readonly walBytes: number }; readonly answer: string };
  readonly integrity: { readonly ask: { readonly sizeBytes: number }; readonly answer: IntegrityFindings };
  readonly orphans: { readonly ask: { readonly table: string }; readonly answer: readonly Orphans[] };
  readonly digest: { readonly ask: SourceTable & { readonly reading: TableReading }; readonly answer: TableDigest };
};

export type TaskName = keyof Tasks;

type Runners = {
  readonly [Name in Exclude<TaskName, 'join'>]: (source: TaskSource, ask: Tasks[Name]['ask']) => Tasks[Name]['answer'];
};

export type TaskSource = { readonly address: SnapshotAddress; readonly sqlite: DatabaseSync };

export const runners: Runners = {
  scan: ({ sqlite, address }, reading) =>
    scanTable(openTable(sqlite, address.descriptors, reading), {
      measureScale: reading.columns.map((column) => column.affinity === 'numeric'),
      withoutRowid: reading.table.withoutRowid || reading.rootPage === 0,
    }),
  sha256: ({ address }, { sizeBytes, walBytes }) => fileHash(address, sizeBytes, walBytes),
  integrity: ({ sqlite }, { sizeBytes }) => checkIntegrity(sqlite, sizeBytes),
  orphans: ({ sqlite }, { table }) => findOrphans(sqlite, table),
  digest: ({ sqlite, address }, { reading, ...table }) =>
    sourceDigest(sqlite, table, () => openTable(sqlite, address.descriptors, reading)),
};

const READ_BYTES = 1_048_576;

/** SHA-256 of the file, and of the write-ahead log behind it where one was read, through the descriptors that are open anyway. */
function fileHash(address: SnapshotAddress, sizeBytes: number, walBytes: number): string {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  const take = (fd: number, bytes: number): void => {
    for (let at = 0; at < bytes;) {
      const read = readSync(fd, buffer, 0, Math.min(READ_BYTES, bytes - at), at);
      if (read === 0) return;
      hash.update(buffer.subarray(0, read));
      at += read;
    }
  };
  take(address.descriptors.database, sizeBytes);
  if (address.descriptors.wal !== undefined) take(address.descriptors.wal, walBytes);
  return hash.digest('hex');
}

const FINDINGS_LIMIT = 100;
// integrity_check compares every index entry with its row, at the price of a second reading in random order; nothing here reads
// an index of the source, so for larger files the structure of all b-trees and the contents of all rows are checked alone.
const THOROUGH_UP_TO_BYTES = 67_108_864;

/** What SQLite itself finds wrong with its file. */
export type IntegrityFindings = {
  readonly check: 'integrity_check' | 'quick_check';
  /** Rows against their constraints and indexes against their rows: told, and no obstacle, for PostgreSQL checks them anew. */
  readonly remarks: readonly string[];
  /** The file itself is not as it should be. */
  readonly damage: readonly string[];
};

const REMARK =
  /^(?:NULL value in|CHECK constraint failed in|NUMERIC value in|TEXT value in|non-.* value in|row \d+ missing from index|non-unique entry in index|wrong # of entries in index|row \d+ values differ from index)/;

function checkIntegrity(sqlite: DatabaseSync, sizeBytes: number): IntegrityFindings {
  const check = sizeBytes <= THOROUGH_UP_TO_BYTES ? 'integrity_check' : 'quick_check';
  const found = sqlite
    .prepare(`PRAGMA ${check}(${FINDINGS_LIMIT})`)
    .all()
    .map((row) => String(Object.values(row)[0]))
    .filter((finding) => finding !== 'ok');
  return {
    check,
    remarks: found.filter((finding) => REMARK.test(finding)),
    damage: found.filter((finding) => !REMARK.test(finding)),
  };
}

/** Rows of a table whose foreign key points at no row: how many, and the first of them. */
export type Orphans = { readonly parent: string; readonly rows: number; readonly firstRowids: readonly string[] };

const ORPHANS_NAMED = 1_000;

function findOrphans(sqlite: DatabaseSync, table: string): Orphans[] {
  const statement = sqlite.prepare(`PRAGMA foreign_key_check(${quoteSqlite(table)})`);
  statement.setReadBigInts(true);
  const found = new Map<string, { rows: number; firstRowids: string[] }>();
  for (const row of statement.iterate()) {
    const key = `${String(row['parent'])} ${String(row['fkid'])}`;
    const known = found.get(key) ?? { rows: 0, firstRowids: [] };
    known.rows += 1;
    if (known.firstRowids.length < ORPHANS_NAMED && row['rowid'] !== null) known.firstRowids.push(String(row['rowid']));
    found.set(key, known);
  }
  return [...found].map(([key, orphans]) => ({ parent: key.slice(0, key.lastIndexOf(' ')), ...orphans }));
}
