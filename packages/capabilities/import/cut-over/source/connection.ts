import { accessSync, constants, existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { SafekeepError } from '@safekeep/core';
import { translate } from '../../source/snapshot.ts';

// How long we wait for the lock of another connection. SQLite tries again and again meanwhile and blocks this thread.
const WAIT_MS = 10_000;
const READONLY = 8;

/** Opens a source that is followed, for writing: agreed to by a person before. Never makes a file. */
export function openSource(file: string): DatabaseSync {
  if (!existsSync(file)) throw new SafekeepError('file-unreadable', { path: file, reason: 'ENOENT' });
  const url = pathToFileURL(file);
  url.searchParams.set('mode', 'rw');
  try {
    accessSync(file, constants.W_OK);
    // Without foreign keys: what we write is decided row by row, nothing may cascade.
    const sqlite = new DatabaseSync(url, { timeout: WAIT_MS, enableForeignKeyConstraints: false });
    // The schema of a file is data from outside: it may not call functions with side effects.
    sqlite.exec('PRAGMA trusted_schema = OFF');
    return sqlite;
  } catch (error) {
    throw sourceFailure(error, file);
  }
}

/** Runs `work` with a connection of its own, closed at the end; an open transaction is rolled back by that. */
export async function withSourceConnection<Result>(file: string, work: (sqlite: DatabaseSync) => Promise<Result>): Promise<Result> {
  const sqlite = openSource(file);
  try {
    return await work(sqlite);
  } catch (error) {
    throw sourceFailure(error, file);
  } finally {
    sqlite.close();
  }
}

/** Errors of SQLite as refusals; anything else as it is. */
export function sourceFailure(error: unknown, file: string): unknown {
  const isReadOnly =
    error instanceof Error &&
    (('errcode' in error && Number(error.errcode) % 256 === READONLY) ||
      ('code' in error && (error.code === 'EACCES' || error.code === 'EROFS')));
  return isReadOnly ? new SafekeepError('import-source-read-only', { file }, { cause: error }) : translate(error, file);
}

/** Takes the right to write, so that every other writer waits. */
export function beginImmediate(sqlite: DatabaseSync): void {
  sqlite.exec('BEGIN IMMEDIATE');
}

/** Begins to read: from the first read on one state is seen. */
export function beginRead(sqlite: DatabaseSync): void {
  sqlite.exec('BEGIN');
  sqlite.prepare('SELECT count(*) FROM sqlite_schema').get();
}
