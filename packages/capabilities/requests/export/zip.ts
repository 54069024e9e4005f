import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { open, type FileHandle } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { crc32, createDeflateRaw, createInflateRaw } from 'node:zlib';
import type { Sink } from './sink.ts';

// ZIP as APPNOTE.TXT 6.3 has it, written as a stream: sizes stand behind each file (bit 3), in 8 bytes (ZIP64), since nobody
// knows beforehand how much of a person there is.

export type Entry = { readonly name: string; readonly sizeBytes: number; readonly sha256: string };

/** Bytes that were compressed before, with what a ZIP says about them. */
export type Deflated = { readonly crc: number; readonly plainBytes: number; readonly packedBytes: number; readonly sha256: string };

type Place = Deflated & { readonly name: Buffer; readonly at: number };

const UTF8_AND_DESCRIPTOR = 0x0808;
const DEFLATE = 8;
const VERSION_ZIP64 = 45;
/** 1980-01-01: the time of the export stands in the manifest, and the same data gives the same bytes. */
const DOS_DATE = 0x0021;
const UNKNOWN_32 = 0xffffffff;
/** Small texts compress as well at a low level, at twice the speed. */
const LEVEL = 3;

export class ZipWriter {
  readonly #sink: Sink;
  readonly #places: Place[] = [];
  #at = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** One file, written by `fill`. */
  async file(name: string, fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>): Promise<Entry> {
    const at = this.#at;
    await this.#write(localHeader(Buffer.from(name)));
    const deflated = await deflate((bytes) => this.#write(bytes), fill);
    return await this.#finish(name, at, deflated);
  }

  /** One file that was compressed before. */
  async packed(name: string, deflated: Deflated, bytes: AsyncIterable<Uint8Array>): Promise<Entry> {
    const at = this.#at;
    await this.#write(localHeader(Buffer.from(name)));
    for await (const chunk of bytes) await this.#write(chunk);
    return await this.#finish(name, at, deflated);
  }

  async end(): Promise<void> {
    const at = this.#at;
    for (const place of this.#places) await this.#write(centralHeader(place));
    await this.#write(endRecords({ count: this.#places.length, at, sizeBytes: this.#at - at }));
    await this.#sink.end();
  }

  async #finish(name: string, at: number, deflated: Deflated): Promise<Entry> {
    await this.#write(descriptor(deflated));
    this.#places.push({ ...deflated, name: Buffer.from(name), at });
    return { name, sizeBytes: deflated.plainBytes, sha256: deflated.sha256 };
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#at += bytes.length;
    await this.#sink.write(bytes);
  }
}

/** Compresses what `fill` writes. Where either side fails both have ended when it throws what failed first. */
export async function deflate(
  into: (bytes: Uint8Array) => Promise<void>,
  fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<Deflated> {
  const stream = createDeflateRaw({ level: LEVEL });
  const hash = createHash('sha256');
  const over = new AbortController();
  let [crc, plainBytes, packedBytes] = [0, 0, 0];
  const feed = async (): Promise<void> => {
    await fill(async (bytes) => {
      over.signal.throwIfAborted();
      crc = crc32(bytes, crc);
      hash.update(bytes);
      plainBytes += bytes.length;
      // Nobody empties a stream whose other side has failed: `drain` would never come.
      if (!stream.write(bytes)) await once(stream, 'drain', { signal: over.signal });
    });
    stream.end();
  };
  const drain = async (): Promise<void> => {
    // zlib gives Buffers.
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      packedBytes += chunk.length;
      await into(chunk);
    }
  };
  const stop = (error: unknown): void => {
    over.abort(error);
    stream.destroy();
  };
  const both = [feed(), drain()].map((side) => side.catch(stop));
  await Promise.all(both);
  over.signal.throwIfAborted();
  return { crc, plainBytes, packedBytes, sha256: hash.digest('hex') };
}

function localHeader(name: Buffer): Buffer {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(VERSION_ZIP64, 4);
  header.writeUInt16LE(UTF8_AND_DESCRIPTOR, 6);
  header.writeUInt16LE(DEFLATE, 8);
  header.writeUInt16LE(DOS_DATE, 12);
  header.writeUInt32LE(UNKNOWN_32, 18);
  header.writeUInt32LE(UNKNOWN_32, 22);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(20, 28);
  const extra = Buffer.alloc(20);
  extra.writeUInt16LE(0x0001, 0);
  extra.writeUInt16LE(16, 2);
  return Buffer.concat([header, name, extra]);
}

function descriptor({ crc, plainBytes, packedBytes }: Deflated): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeUInt32LE(0x08074b50, 0);
  bytes.writeUInt32LE(crc, 4);
  bytes.writeBigUInt64LE(BigInt(packedBytes), 8);
  bytes.writeBigUInt64LE(BigInt(plainBytes), 16);
  return bytes;
}

function centralHeader({ name, crc, plainBytes, packedBytes, at }: Place): Buffer {
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(VERSION_ZIP64, 4);
  header.writeUInt16LE(VERSION_ZIP64, 6);
  header.writeUInt16LE(UTF8_AND_DESCRIPTOR, 8);
  header.writeUInt16LE(DEFLATE, 10);
  header.writeUInt16LE(DOS_DATE, 14);
  header.writeUInt32LE(crc, 16);
  header.writeUInt32LE(UNKNOWN_32, 20);
  header.writeUInt32LE(UNKNOWN_32, 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(28, 30);
  header.writeUInt32LE(UNKNOWN_32, 42);
  const extra = Buffer.alloc(28);
  extra.writeUInt16LE(0x0001, 0);
  extra.writeUInt16LE(24, 2);
  extra.writeBigUInt64LE(BigInt(plainBytes), 4);
  extra.writeBigUInt64LE(BigInt(packedBytes), 12);
  extra.writeBigUInt64LE(BigInt(at), 20);
  return Buffer.concat([header, name, extra]);
}

function endRecords({ count, at, sizeBytes }: { readonly count: number; readonly at: number; readonly sizeBytes: number }): Buffer {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeUInt16LE(VERSION_ZIP64, 12);
  record.writeUInt16LE(VERSION_ZIP64, 14);
  record.writeBigUInt64LE(BigInt(count), 24);
  record.writeBigUInt64LE(BigInt(count), 32);
  record.writeBigUInt64LE(BigInt(sizeBytes), 40);
  record.writeBigUInt64LE(BigInt(at), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(at + sizeBytes), 8);
  locator.writeUInt32LE(1, 16);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(0xffff, 8);
  end.writeUInt16LE(0xffff, 10);
  end.writeUInt32LE(UNKNOWN_32, 12);
  end.writeUInt32LE(UNKNOWN_32, 16);
  return Buffer.concat([record, locator, end]);
}

// ---- reading, to verify ----------------------------------------------------------------------------------------------------

export type ZipFile = { readonly name: string; readonly read: () => AsyncGenerator<Buffer> };

/** More files than any map has tables. */
const FILES_AT_MOST = 20_000;
const DIRECTORY_BYTES_AT_MOST = 64 * 1024 * 1024;
/** A file that grows beyond it while it is unpacked is no export of ours but a bomb. */
const PLAIN_BYTES_AT_MOST = 2 ** 40;

/** The files of a ZIP that a {@link ZipWriter} wrote; a plain error with the reason for any other. */
export async function readZip(path: string): Promise<{ readonly files: readonly ZipFile[]; readonly close: () => Promise<void> }> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const tail = await readAt(file, size - 98, 98);
    if (tail.length < 98 || tail.readUInt32LE(0) !== 0x06064b50 || tail.readUInt32LE(76) !== 0x06054b50)
      throw new Error('it is no export of Safekeep');
    const [count, sizeBytes, at] = [24, 40, 48].map((place) => Number(tail.readBigUInt64LE(place)));
    if (
      count === undefined ||
      sizeBytes === undefined ||
      at === undefined ||
      count > FILES_AT_MOST ||
      sizeBytes > DIRECTORY_BYTES_AT_MOST
    )
      throw new Error('its directory is too large');
    return { files: directory(file, await readAt(file, at, sizeBytes), count), close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function directory(file: FileHandle, bytes: Buffer, count: number): readonly ZipFile[] {
  const files: ZipFile[] = [];
  for (let number = 0, at = 0; number < count; number += 1) {
    if (at + 46 > bytes.length || bytes.readUInt32LE(at) !== 0x02014b50) throw new Error('its directory is broken');
    const nameBytes = bytes.readUInt16LE(at + 28);
    const extraBytes = bytes.readUInt16LE(at + 30);
    const name = bytes.toString('utf8', at + 46, at + 46 + nameBytes);
    const extra = bytes.subarray(at + 46 + nameBytes, at + 46 + nameBytes + extraBytes);
    if (extra.length < 28) throw new Error('its directory is broken');
    const [packedBytes, place] = [Number(extra.readBigUInt64LE(12)), Number(extra.readBigUInt64LE(20))];
    files.push({ name, read: () => inflated(file, place + 50 + nameBytes, packedBytes) });
    at += 46 + nameBytes + extraBytes;
  }
  return files;
}

async function* inflated(file: FileHandle, at: number, sizeBytes: number): AsyncGenerator<Buffer> {
  // Compressed bytes are pulled as they are needed; whichever side fails, the other ends with it.
  const stream = createInflateRaw();
  // What goes wrong is thrown where the stream is read.
  pipeline(Readable.from(packedChunks(file, at, sizeBytes)), stream, () => undefined);
  let plainBytes = 0;
  // zlib gives Buffers.
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    plainBytes += chunk.length;
    if (plainBytes > PLAIN_BYTES_AT_MOST) throw new Error('it unpacks to more than it may');
    yield chunk;
  }
}

async function* packedChunks(file: FileHandle, at: number, sizeBytes: number): AsyncGenerator<Buffer> {
  for (let read = 0; read < sizeBytes;) {
    const chunk = await readAt(file, at + read, Math.min(64 * 1024, sizeBytes - read));
    if (chunk.length === 0) throw new Error('its end is missing');
    read += chunk.length;
    yield chunk;
  }
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  if (at < 0 || !Number.isSafeInteger(at)) return Buffer.alloc(0);
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, at);
  return bytes.subarray(0, bytesRead);
}
