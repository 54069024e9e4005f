import { fstatSync, readSync } from 'node:fs';

// https://www.sqlite.org/fileformat2.html#the_write_ahead_log
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC_LITTLE_ENDIAN = 0x377f0682;
const MAGIC_BIG_ENDIAN = 0x377f0683;

/** Where the newest committed copy of each page stands in a write-ahead log. */
export type WalIndex = {
  /** Page number to the byte offset of its content in the log. */
  readonly frames: ReadonlyMap<number, number>;
  /** Frames that belong to committed transactions. */
  readonly frameCount: number;
};

/**
 * Walks the log as SQLite's recovery does: frames count while their salts are the header's and the running checksum holds,
 * and only up to the last frame that closes a transaction.
 *
 * @param frameLimit how many frames the snapshot sees (`mxFrame` of the wal-index); without it, all committed ones.
 */
export function readWalIndex(fd: number, frameLimit?: number): WalIndex | undefined {
  const sizeBytes = fstatSync(fd).size;
  const header = Buffer.alloc(WAL_HEADER_BYTES);
  if (sizeBytes < WAL_HEADER_BYTES || readSync(fd, header, 0, WAL_HEADER_BYTES, 0) < WAL_HEADER_BYTES) return undefined;
  const magic = header.readUInt32BE(0);
  if (magic !== MAGIC_LITTLE_ENDIAN && magic !== MAGIC_BIG_ENDIAN) return undefined;
  const checksum = new WalChecksum(magic === MAGIC_BIG_ENDIAN);
  checksum.add(header, 0, 24);
  if (!checksum.equals(header, 24)) return undefined;

  const pageSize = header.readUInt32BE(8);
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + pageSize);
  const committed = new Map<number, number>();
  const open = new Map<number, number>();
  let frameCount = 0;
  const limit = frameLimit ?? Number.POSITIVE_INFINITY;
  for (let number = 1, at = WAL_HEADER_BYTES; number <= limit && at + frame.length <= sizeBytes; number += 1, at += frame.length) {
    readSync(fd, frame, 0, frame.length, at);
    if (frame.compare(header, 16, 24, 8, 16) !== 0) break;
    checksum.add(frame, 0, 8);
    checksum.add(frame, FRAME_HEADER_BYTES, pageSize);
    if (!checksum.equals(frame, 16)) break;
    open.set(frame.readUInt32BE(0), at + FRAME_HEADER_BYTES);
    if (frame.readUInt32BE(4) === 0) continue;
    for (const [page, offset] of open) committed.set(page, offset);
    open.clear();
    frameCount = number;
  }
  return { frames: committed, frameCount };
}

/** The two running sums of section 4.3 of the file format. */
class WalChecksum {
  #first = 0;
  #second = 0;
  readonly #bigEndian: boolean;

  constructor(bigEndian: boolean) {
    this.#bigEndian = bigEndian;
  }

  add(bytes: Buffer, from: number, length: number): void {
    let first = this.#first;
    let second = this.#second;
    for (let at = from; at < from + length; at += 8) {
      first = (first + this.#word(bytes, at) + second) | 0;
      second = (second + this.#word(bytes, at + 4) + first) | 0;
    }
    this.#first = first;
    this.#second = second;
  }

  equals(bytes: Buffer, at: number): boolean {
    return bytes.readInt32BE(at) === this.#first && bytes.readInt32BE(at + 4) === this.#second;
  }

  #word(bytes: Buffer, at: number): number {
    return this.#bigEndian ? bytes.readInt32BE(at) : bytes.readInt32LE(at);
  }
}
