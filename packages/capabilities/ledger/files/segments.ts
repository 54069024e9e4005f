import { closeSync, createReadStream, fsync, openSync, readdirSync, statSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { codeOf, SafekeepError } from '@safekeep/core';
import { syncFolder } from '@safekeep/files';
import { LINE_BYTES_AT_MOST } from '../rules/line.ts';

/** `ledger-000001.ndjson` is the oldest. A number is never used again. */
const SEGMENT = /^ledger-(\d{6})\.ndjson$/;
const CHUNK_BYTES = 262_144;
const LF = 0x0a;

export type Segment = { readonly number: number; readonly path: string; readonly sizeBytes: number };

/**
 * The segments of a folder, oldest first; none where there is no folder. What the system has in memory is asked at once: the way
 * through Node's threads takes longer than the answer, and every erasure waits for its entry.
 */
export function listSegments(directory: string): readonly Segment[] {
  const numbers = namesIn(directory)
    .flatMap((name) => (SEGMENT.exec(name)?.[1] === undefined ? [] : [Number(SEGMENT.exec(name)?.[1])]))
    .sort((a, b) => a - b);
  return numbers.map((number) => {
    const path = segmentPath(directory, number);
    return { number, path, sizeBytes: statSync(path).size };
  });
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

export function segmentPath(directory: string, number: number): string {
  return join(directory, `ledger-${String(number).padStart(6, '0')}.ndjson`);
}

/** One line of a file and where it begins; `whole` says that its LF is there. */
export type RawLine = { readonly bytes: Buffer; readonly at: number; readonly whole: boolean };

/** The lines of a file between two places. Memory is bounded: what is longer than any line of ours comes in pieces that are none. */
export async function* readLines(path: string, from: number, until: number): AsyncGenerator<RawLine> {
  if (until <= from) return;
  let rest = Buffer.alloc(0);
  let at = from;
  for await (const chunk of createReadStream(path, { start: from, end: until - 1, highWaterMark: CHUNK_BYTES })) {
    // A stream without an encoding gives buffers.
    const bytes = Buffer.concat([rest, chunk as Buffer]);
    let begin = 0;
    for (let end = bytes.indexOf(LF); end !== -1; end = bytes.indexOf(LF, begin)) {
      yield { bytes: bytes.subarray(begin, end), at: at + begin, whole: true };
      begin = end + 1;
    }
    rest = bytes.subarray(begin);
    at += begin;
    if (rest.length > LINE_BYTES_AT_MOST) {
      yield { bytes: rest, at, whole: false };
      at += rest.length;
      rest = Buffer.alloc(0);
    }
  }
  if (rest.length > 0) yield { bytes: rest, at, whole: false };
}

/** Bytes of a file; fewer where it ends before. */
export async function readBytes(path: string, at: number, length: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

const synced = promisify(fsync);

/**
 * Appends to a file of exactly `sizeBytes` and brings it to the disk, which alone is waited for. Where that fails the file is cut to
 * what it was: nothing half remains, and what was there before is not touched.
 */
export async function appendBytes(path: string, sizeBytes: number, bytes: Uint8Array): Promise<void> {
  const file = openSync(path, 'a', 0o600);
  try {
    try {
      // A disk that is almost full takes a part, and refuses the next one.
      for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
      await synced(file);
    } catch (error) {
      // Where even this fails, the next writer finds an incomplete line and takes it out. The first failure is the one to tell.
      await truncateFile(path, sizeBytes).catch(() => undefined);
      throw error;
    }
  } finally {
    closeSync(file);
  }
  // The name of a new file is on disk only when its folder is.
  if (sizeBytes === 0) await syncFolder(dirname(path));
}

export async function truncateFile(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.truncate(sizeBytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

const FULL = new Set(['ENOSPC', 'EDQUOT', 'SQLITE_FULL']);

/** What a failure to write means for whoever wanted to destroy something. */
export function writeFailure(error: unknown, directory: string): unknown {
  if (error instanceof SafekeepError) return error;
  const code = codeOf(error);
  return code === undefined ? error : unwritable(directory, code, error);
}

/** `reason` is the system's code. */
export function unwritable(directory: string, reason: string, cause: unknown): SafekeepError {
  if (FULL.has(reason)) return new SafekeepError('ledger-disk-full', {}, { cause });
  return new SafekeepError('ledger-unwritable', { path: directory, reason }, { cause });
}
