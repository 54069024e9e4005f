import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { SafekeepError } from '@safekeep/core';
import { readWalIndex, type WalIndex } from './wal.ts';

// https://www.sqlite.org/fileformat2.html#the_database_header
const HEADER_BYTES = 100;
const MAGIC = 'SQLite format 3\0';
// Where the next page is near, so are the ones after it: sixteen pages of 4 kB take three times as long to fetch as one. Tables that
// grew side by side lie scattered; there, fetching ahead from every page would read the file again for each of them.
const WINDOW_PAGES = 16;
const NEAR_PAGES = 8;

export type TextEncoding = 'utf8' | 'utf16le' | 'utf16be';

/** What the first hundred bytes of a SQLite file say about it. */
export type PageFileHeader = {
  readonly pageSize: number;
  /** Page size less the bytes reserved at the end of each page by extensions. */
  readonly usableSize: number;
  readonly writeAheadLog: boolean;
  readonly textEncoding: TextEncoding;
  /** Grows with every committed change in rollback mode. */
  readonly changeCounter: number;
};

/**
 * The pages of a SQLite file as of one snapshot, read straight from the file and the write-ahead log beside it.
 *
 * Trust: whoever constructs it holds a read transaction of SQLite on the same file for as long as it is used; SQLite's locks
 * are what keeps the pages still. Its descriptors stay open until `close`, and `close` comes after the SQLite connection was
 * closed: closing any descriptor of a file drops all POSIX locks the process holds on it
 * (https://www.sqlite.org/howtocorrupt.html, "Posix advisory locks canceled by a separate thread doing close()").
 */
export class PageFile {
  readonly header: PageFileHeader;
  readonly #databaseFd: number;
  readonly #walFd: number | undefined;
  readonly #wal: WalIndex | undefined;
  readonly #window: Buffer;
  #windowFirst = 0;
  #windowCount = 0;
  #lastPage = 0;

  constructor(descriptors: PageDescriptors) {
    this.#databaseFd = descriptors.database;
    this.#walFd = descriptors.wal;
    this.#wal = descriptors.walIndex;
    this.header = this.#readHeader();
    this.#window = Buffer.allocUnsafeSlow(WINDOW_PAGES * this.header.pageSize);
  }

  /** Copies one page (numbered from 1) into `target`, which holds at least a page. */
  read(page: number, target: Buffer): void {
    const { pageSize } = this.header;
    const frame = this.#wal?.frames.get(page);
    if (frame !== undefined && this.#walFd !== undefined) {
      if (readSync(this.#walFd, target, 0, pageSize, frame) !== pageSize) throw corrupt(page, 'the log ends inside it');
      return;
    }
    if (page >= this.#windowFirst && page < this.#windowFirst + this.#windowCount) {
      const from = (page - this.#windowFirst) * pageSize;
      this.#window.copy(target, 0, from, from + pageSize);
    } else if (page > this.#lastPage && page - this.#lastPage <= NEAR_PAGES) {
      this.#fillWindow(page);
      this.#window.copy(target, 0, 0, pageSize);
    } else if (readSync(this.#databaseFd, target, 0, pageSize, (page - 1) * pageSize) !== pageSize) {
      throw corrupt(page, 'it lies behind the end of the file');
    }
    this.#lastPage = page;
  }

  #fillWindow(first: number): void {
    const { pageSize } = this.header;
    const bytes = readSync(this.#databaseFd, this.#window, 0, this.#window.length, (first - 1) * pageSize);
    this.#windowFirst = first;
    this.#windowCount = Math.floor(bytes / pageSize);
    if (this.#windowCount === 0) throw corrupt(first, 'it lies behind the end of the file');
  }

  #readHeader(): PageFileHeader {
    const bytes = Buffer.alloc(HEADER_BYTES);
    const frame = this.#wal?.frames.get(1);
    if (frame !== undefined && this.#walFd !== undefined) readSync(this.#walFd, bytes, 0, HEADER_BYTES, frame);
    else readSync(this.#databaseFd, bytes, 0, HEADER_BYTES, 0);
    return parseHeader(bytes);
  }
}

/** Descriptors are plain numbers of the process: a worker thread reads through the same ones. */
export type PageDescriptors = {
  readonly database: number;
  readonly wal: number | undefined;
  readonly walIndex: WalIndex | undefined;
};

/** Opens the file and the log beside it for reading pages. `walFrames` is how far the snapshot sees into the log. */
export function openDescriptors(file: string, walFrames: number | undefined): PageDescriptors {
  const database = openSync(file, 'r');
  if (walFrames === 0) return { database, wal: undefined, walIndex: undefined };
  const wal = openIfPresent(`${file}-wal`);
  return { database, wal, walIndex: wal === undefined ? undefined : readWalIndex(wal, walFrames) };
}

export function closeDescriptors(descriptors: PageDescriptors): void {
  if (descriptors.wal !== undefined) closeSync(descriptors.wal);
  closeSync(descriptors.database);
}

/** Reads the header without opening the database. Says in words what a file is that is no SQLite database. */
export function readFileHeader(file: string): PageFileHeader {
  const fd = openForReading(file);
  try {
    const status = fstatSync(fd);
    if (!status.isFile()) throw new SafekeepError('file-unreadable', { path: file, reason: 'it is no regular file' });
    const sizeBytes = status.size;
    if (sizeBytes === 0) throw new SafekeepError('import-source-empty', { file });
    const bytes = Buffer.alloc(HEADER_BYTES);
    const read = readSync(fd, bytes, 0, HEADER_BYTES, 0);
    if (read < HEADER_BYTES || bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) {
      throw new SafekeepError('import-source-not-sqlite', {
        file,
        finding: describeForeignFile(bytes.subarray(0, read), sizeBytes),
      });
    }
    return parseHeader(bytes);
  } finally {
    closeSync(fd);
  }
}

function parseHeader(bytes: Buffer): PageFileHeader {
  const stored = bytes.readUInt16BE(16);
  const pageSize = stored === 1 ? 65_536 : stored;
  const encoding = bytes.readUInt32BE(56);
  return {
    pageSize,
    usableSize: pageSize - bytes.readUInt8(20),
    writeAheadLog: bytes.readUInt8(19) === 2,
    textEncoding: encoding === 2 ? 'utf16le' : encoding === 3 ? 'utf16be' : 'utf8',
    changeCounter: bytes.readUInt32BE(24),
  };
}

/** An encrypted file is random from its first byte to its last and a whole number of pages long; nothing more can be known. */
function describeForeignFile(start: Buffer, sizeBytes: number): string {
  const text = start.toString('latin1');
  if (text.startsWith('PK\u0003\u0004')) return 'it is a ZIP archive';
  if (text.startsWith('\u001F\u008B')) return 'it is compressed with gzip';
  if (text.startsWith('** This file contains an SQLite 2')) return 'it is a SQLite 2 database';
  if (/^[\x09\x0A\x0D\x20-\x7E]*$/.test(text)) return 'it is plain text';
  if (sizeBytes % 512 === 0) return 'its first bytes are random; it may be encrypted (SQLCipher, SEE)';
  return 'its first bytes are those of no SQLite file';
}

function openForReading(file: string): number {
  try {
    return openSync(file, 'r');
  } catch (error) {
    throw new SafekeepError('file-unreadable', { path: file, reason: systemReason(error) }, { cause: error });
  }
}

function openIfPresent(file: string): number | undefined {
  try {
    return openSync(file, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function systemReason(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
}

export function corrupt(page: number, detail: string): DamagedSource {
  return new DamagedSource(`page ${page}`, detail);
}

/** The file is not as its format says. Plain values, so that a thread can hand it over; `translate` makes the refusal of it. */
export class DamagedSource extends Error {
  readonly place: string;
  readonly detail: string;

  constructor(place: string, detail: string, options?: ErrorOptions) {
    super(`${place}: ${detail}`, options);
    this.place = place;
    this.detail = detail;
  }
}
