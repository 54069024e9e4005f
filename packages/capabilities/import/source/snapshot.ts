import { chmodSync, closeSync, copyFileSync, existsSync, mkdtempSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { SafekeepError } from '@safekeep/core';
import { closeDescriptors, DamagedSource, openDescriptors, PageFile, readFileHeader, type PageDescriptors } from './page-file.ts';

/**
 * How the file is opened so that nothing is written beside it:
 * - `shared`: rollback mode; SQLite takes a shared lock on the file, which makes writers wait, and writes nothing.
 * - `immutable`: write-ahead mode with an empty log: no program has it open. A lock would need a -shm file beside it.
 * - `live`: write-ahead mode with a log and its index: a program uses it. SQLite joins in; its lock table (-shm) is the one thing touched.
 * - `copied`: a log without its index, as after a crash or a copy by hand: SQLite would have to make a -shm, so it makes it
 *   beside a copy of both files in a private folder.
 */
export type OpenMode = 'shared' | 'immutable' | 'live' | 'copied';

/** What another thread of this process needs to see the same state: plain values. */
export type SnapshotAddress = {
  /** The file that is read: another one than was named only in mode `copied`. */
  readonly readFile: string;
  readonly mode: OpenMode;
  readonly descriptors: PageDescriptors;
  /** The index of the write-ahead log, in mode `live`. */
  readonly sharedMemory: number | undefined;
  /** How far into the log the snapshot sees, in mode `live`. */
  readonly walFrames: number | undefined;
};

/** A SQLite file, still, for the length of a run. */
export type SourceSnapshot = {
  readonly file: string;
  readonly address: SnapshotAddress;
  readonly sqlite: DatabaseSync;
  readonly pages: PageFile;
  readonly sizeBytes: number;
  /** Bytes of the write-ahead log that was read with it, 0 where there was none. */
  readonly walBytes: number;
  /** Whether the file on disk is another one than at the beginning. Always false in mode `live`, where the snapshot stands apart. */
  readonly hasChanged: () => boolean;
  readonly close: () => void;
};

// Both copies of the header (48 bytes each) and nBackfill.
const WAL_INDEX_HEADER_BYTES = 100;
const MAX_SNAPSHOT_TRIES = 20;
/** Opens the file for reading and begins a read transaction on it. Throws `import-source-…` for what is no usable database. */
export function openSnapshot(file: string): SourceSnapshot {
  const header = readFileHeader(file);
  const mode = openMode(file, header.writeAheadLog);
  // Closed from the last to the first: closing a descriptor drops SQLite's locks on the file, so descriptors go last.
  const opened: (() => void)[] = [];
  const close = (): void => {
    for (const closeOne of opened.splice(0).toReversed()) closeOne();
  };
  try {
    const before = fingerprint(file);
    const readFile = mode === 'copied' ? copyToPrivateFolder(file, opened) : file;
    const sharedMemory = mode === 'live' ? openShared(`${readFile}-shm`, opened) : undefined;
    const { sqlite, walFrames } = beginRead(readFile, mode, sharedMemory);
    const closeLater = opened.push(() => sqlite.close());
    const descriptors = openDescriptors(readFile, mode === 'live' ? walFrames : undefined);
    opened.splice(closeLater - 1, 0, () => closeDescriptors(descriptors));
    return {
      file,
      address: { readFile, mode, descriptors, sharedMemory, walFrames },
      sqlite,
      pages: new PageFile(descriptors),
      sizeBytes: before.sizeBytes,
      walBytes: descriptors.wal === undefined ? 0 : before.walBytes,
      hasChanged: () => mode !== 'live' && !isDeepStrictEqual(before, fingerprint(file)),
      close,
    };
  } catch (error) {
    close();
    throw translate(error, file);
  }
}

/** A writer has committed while the snapshot was made or joined: it must be made anew. A class of ours, so that it survives the way between threads. */
export class SnapshotMoved extends Error {}

/** A connection of this thread that sees exactly the state of the snapshot. Throws {@link SnapshotMoved} where that is gone. */
export function joinSnapshot(address: SnapshotAddress): DatabaseSync {
  const { sqlite, walFrames } = beginRead(address.readFile, address.mode, address.sharedMemory);
  if (walFrames === address.walFrames) return sqlite;
  sqlite.close();
  throw new SnapshotMoved();
}

function openMode(file: string, writeAheadLog: boolean): OpenMode {
  if (!writeAheadLog) return 'shared';
  const log = statSync(`${file}-wal`, { throwIfNoEntry: false });
  if (log === undefined || log.size === 0) return 'immutable';
  return existsSync(`${file}-shm`) ? 'live' : 'copied';
}

function connect(file: string, mode: OpenMode): DatabaseSync {
  const url = pathToFileURL(file);
  if (mode === 'immutable') url.searchParams.set('immutable', '1');
  const sqlite = new DatabaseSync(url, { readOnly: true, timeout: 5_000, enableForeignKeyConstraints: false });
  // A database file is data from outside: its schema may not call functions with side effects, nor be written through.
  sqlite.exec('PRAGMA trusted_schema = OFF; PRAGMA query_only = ON');
  return sqlite;
}

/** A transaction in SQLite begins to see one state with its first read. */
function begin(sqlite: DatabaseSync): void {
  sqlite.exec('BEGIN');
  sqlite.prepare('SELECT count(*) FROM sqlite_schema').get();
}

/**
 * Begins reading, and tells how far into the write-ahead log the transaction sees. SQLite does not say it; where the header of
 * the log's index is the same before and after, what it says holds for the transaction between.
 */
function beginRead(
  file: string,
  mode: OpenMode,
  sharedMemory: number | undefined,
): { sqlite: DatabaseSync; walFrames: number | undefined } {
  const sqlite = connect(file, mode);
  try {
    if (sharedMemory === undefined) {
      begin(sqlite);
      return { sqlite, walFrames: undefined };
    }
    for (let tries = 0; tries < MAX_SNAPSHOT_TRIES; tries += 1) {
      const before = readWalIndexHeader(sharedMemory);
      begin(sqlite);
      if (readWalIndexHeader(sharedMemory).equals(before)) return { sqlite, walFrames: visibleFrames(before) };
      sqlite.exec('COMMIT');
    }
    throw new SnapshotMoved();
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

function openShared(file: string, opened: (() => void)[]): number {
  const fd = openSync(file, 'r');
  opened.push(() => closeSync(fd));
  return fd;
}

/** The two copies of the header proper and the checkpoint's progress; lock bytes and read marks behind them come and go. */
function readWalIndexHeader(fd: number): Buffer {
  const header = Buffer.alloc(WAL_INDEX_HEADER_BYTES);
  readSync(fd, header, 0, WAL_INDEX_HEADER_BYTES, 0);
  return header;
}

/** https://www.sqlite.org/walformat.html: mxFrame at 16, nBackfill at 96, in the machine's byte order. */
function visibleFrames(header: Buffer): number {
  const words = new Uint32Array(header.buffer, header.byteOffset, WAL_INDEX_HEADER_BYTES / 4);
  const frames = words[4] ?? 0;
  // All of it is in the database file already: the transaction does not look into the log, which may be started afresh.
  return words[24] === frames ? 0 : frames;
}

function copyToPrivateFolder(file: string, opened: (() => void)[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'safekeep-import-'));
  opened.push(() => rmSync(folder, { recursive: true, force: true }));
  const copy = join(folder, basename(file));
  copyFileSync(file, copy);
  copyFileSync(`${file}-wal`, `${copy}-wal`);
  chmodSync(copy, 0o600);
  chmodSync(`${copy}-wal`, 0o600);
  return copy;
}

type Fingerprint = {
  readonly inode: bigint;
  readonly sizeBytes: number;
  readonly modifiedNs: bigint;
  readonly walBytes: number;
  readonly walModifiedNs: bigint;
};

function fingerprint(file: string): Fingerprint {
  const database = statSync(file, { bigint: true });
  const log = statSync(`${file}-wal`, { bigint: true, throwIfNoEntry: false });
  return {
    inode: database.ino,
    sizeBytes: Number(database.size),
    modifiedNs: database.mtimeNs,
    walBytes: Number(log?.size ?? 0n),
    walModifiedNs: log?.mtimeNs ?? 0n,
  };
}

// Primary result codes of SQLite, https://www.sqlite.org/rescode.html
const BUSY = 5;
const READONLY = 8;
const CORRUPT = 11;
const CANTOPEN = 14;
const NOTADB = 26;

/** Errors of SQLite as refusals; anything else as it is. */
export function translate(error: unknown, file: string): unknown {
  if (error instanceof DamagedSource)
    return new SafekeepError('import-source-corrupt', { place: error.place, detail: error.detail }, { cause: error });
  if (error instanceof SnapshotMoved) return new SafekeepError('import-source-locked', { file }, { cause: error });
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return error;
  const options = { cause: error };
  switch (error.errcode & 0xff) {
    case BUSY:
      return new SafekeepError('import-source-locked', { file }, options);
    case READONLY:
      return new SafekeepError('import-source-journal', { file }, options);
    case CORRUPT:
      return new SafekeepError('import-source-corrupt', { place: 'its schema or a page of it', detail: error.message }, options);
    case NOTADB:
      return new SafekeepError(
        'import-source-not-sqlite',
        { file, finding: 'SQLite itself refuses it; it may be encrypted' },
        options,
      );
    case CANTOPEN:
      return existsSync(`${file}-journal`)
        ? new SafekeepError('import-source-journal', { file }, options)
        : new SafekeepError('file-unreadable', { path: file, reason: error.message }, options);
    default:
      return error;
  }
}
