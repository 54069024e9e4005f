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

/** Where a file begins, and what stands around its data. */
type Place = Omit<Deflated, 'sha256'> & { readonly name: Buffer; readonly at: number };

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

function descriptor({ crc, plainBytes, packedBytes }: Omit<Deflated, 'sha256'>): Buffer {
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

/** The parts around the data of one file: all of them are computed again when a ZIP is read. */
const LOCAL_BYTES = 50;
const DESCRIPTOR_BYTES = 24;
const CENTRAL_BYTES = 74;
const END_BYTES = 98;

/**
 * The files of a ZIP that a {@link ZipWriter} wrote; a plain error with the reason for any other. Readers of ZIP look for its directory in
 * different ways, and one that holds two shows each of them something else: here every byte that is not data must be where and what our
 * writer would have written.
 */
export async function readZip(path: string): Promise<{ readonly files: readonly ZipFile[]; readonly close: () => Promise<void> }> {
  const file = await open(path, 'r');
  try {
    const places = await placesIn(file);
    return {
      files: places.map((place) => ({ name: place.name.toString('utf8'), read: () => inflated(file, place) })),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function placesIn(file: FileHandle): Promise<readonly Place[]> {
  const { size } = await file.stat();
  const end = await readAt(file, size - END_BYTES, END_BYTES);
  if (end.length < END_BYTES || end.readUInt32LE(0) !== 0x06064b50) throw new Error('it is no export of Safekeep');
  const [count, sizeBytes, at] = [end.readBigUInt64LE(24), end.readBigUInt64LE(40), end.readBigUInt64LE(48)].map(Number) as [
    number,
    number,
    number,
  ]; // three in, three out
  if (count > FILES_AT_MOST || sizeBytes > DIRECTORY_BYTES_AT_MOST) throw new Error('its directory is too large');
  if (at + sizeBytes + END_BYTES !== size || !end.equals(endRecords({ count, at, sizeBytes })))
    throw new Error('its directory is not where it belongs');
  const places = directory(await readAt(file, at, sizeBytes), count);
  let next = 0;
  for (const place of places) {
    if (place.at !== next) throw new Error('something stands between its files');
    next += LOCAL_BYTES + place.name.length + place.packedBytes + DESCRIPTOR_BYTES;
    await compareFrame(file, place);
  }
  if (next !== at) throw new Error('something stands between its files');
  return places;
}

/** What stands before and behind a file's data must say what the directory says. */
async function compareFrame(file: FileHandle, place: Place): Promise<void> {
  const before = localHeader(place.name);
  const behind = descriptor(place);
  const isSame =
    before.equals(await readAt(file, place.at, before.length)) &&
    behind.equals(await readAt(file, place.at + before.length + place.packedBytes, behind.length));
  if (!isSame) throw new Error('its directory and its files say different things');
}

function directory(bytes: Buffer, count: number): readonly Place[] {
  const places: Place[] = [];
  let at = 0;
  for (let number = 0; number < count; number += 1) {
    if (at + CENTRAL_BYTES > bytes.length) throw new Error('its directory is broken');
    const nameBytes = bytes.readUInt16LE(at + 28);
    const entry = bytes.subarray(at, at + CENTRAL_BYTES + nameBytes);
    if (entry.length < CENTRAL_BYTES + nameBytes) throw new Error('its directory is broken');
    const name = entry.subarray(46, 46 + nameBytes);
    const [plainBytes, packedBytes, place] = [4, 12, 20].map((offset) =>
      Number(entry.readBigUInt64LE(46 + nameBytes + offset)),
    ) as [number, number, number]; // three in, three out
    const read = { name, crc: entry.readUInt32LE(16), plainBytes, packedBytes, at: place };
    if (!entry.equals(centralHeader(read))) throw new Error('its directory is broken');
    places.push(read);
    at += entry.length;
  }
  if (at !== bytes.length) throw new Error('its directory is broken');
  return places;
}

async function* inflated(file: FileHandle, place: Place): AsyncGenerator<Buffer> {
  // Compressed bytes are pulled as they are needed; whichever side fails, the other ends with it.
  const stream = createInflateRaw();
  // What goes wrong is thrown where the stream is read.
  pipeline(
    Readable.from(packedChunks(file, place.at + LOCAL_BYTES + place.name.length, place.packedBytes)),
    stream,
    () => undefined,
  );
  let [crc, plainBytes] = [0, 0];
  // zlib gives Buffers.
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    plainBytes += chunk.length;
    if (plainBytes > PLAIN_BYTES_AT_MOST) throw new Error('it unpacks to more than it may');
    crc = crc32(chunk, crc);
    yield chunk;
  }
  // Another reader may believe the sizes rather than the end of the stream.
  if (plainBytes !== place.plainBytes || crc !== place.crc || stream.bytesWritten !== place.packedBytes)
    throw new Error('it is not what its directory says');
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
