import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { link, open, rm, type FileHandle } from 'node:fs/promises';
import { codeOf, SafekeepError } from '@safekeep/core';

/** Where bytes go, in order. */
export type Sink = { readonly write: (bytes: Uint8Array) => Promise<void>; readonly end: () => Promise<void> };

/** So many bytes are gathered before they go to the disk. */
const BUFFER_BYTES = 256 * 1024;

/** A new file that only its owner reads; fails where there is one already. Synced when it ends. */
export async function fileSink(path: string): Promise<Sink & { readonly abandon: () => Promise<void> }> {
  const file = await open(path, 'wx', 0o600);
  let gathered: Uint8Array[] = [];
  let sizeBytes = 0;
  const flush = async (): Promise<void> => {
    for (const bytes of gathered) await writeWhole(file, bytes);
    gathered = [];
    sizeBytes = 0;
  };
  return {
    write: async (bytes) => {
      gathered.push(bytes);
      sizeBytes += bytes.length;
      if (sizeBytes >= BUFFER_BYTES) await flush();
    },
    end: async () => {
      await flush();
      await file.sync();
      await file.close();
    },
    // Closing twice does no harm.
    abandon: async () => await file.close(),
  };
}

/** What the system says of a file, as one of ours; every other error as it is. */
export function fileFailure(error: unknown, path: string): unknown {
  const code = codeOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') return new SafekeepError('disk-full', { path }, { cause: error });
  const isOfFiles =
    code !== undefined && ['EACCES', 'EROFS', 'EPERM', 'ENOENT', 'ENOTDIR', 'EISDIR', 'EEXIST', 'EIO', 'EFBIG'].includes(code);
  return isOfFiles ? new SafekeepError('export-unwritable', { path, reason: code }, { cause: error }) : error;
}

async function writeWhole(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at);
    at += bytesWritten;
  }
}

/** Passes everything on, and knows afterwards what it was. */
export function hashingSink(
  target: Sink,
): Sink & { readonly entry: (name: string) => { readonly name: string; readonly sizeBytes: number; readonly sha256: string } } {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  return {
    write: async (bytes) => {
      hash.update(bytes);
      sizeBytes += bytes.length;
      await target.write(bytes);
    },
    end: target.end,
    entry: (name) => ({ name, sizeBytes, sha256: hash.digest('hex') }),
  };
}

// ---- sealed at rest --------------------------------------------------------------------------------------------------------
//
// "SKX1" || 16 random bytes || chunks. The key of a file is HKDF-SHA-256 of the home's key with those bytes as salt. A chunk is
// 64 KiB, the last one shorter or empty, under AES-256-GCM: nonce = 11 bytes of counter || 1 for the last chunk, else 0 (the
// STREAM construction). So a chunk that was moved, left out or cut off does not open.

const MAGIC = Buffer.from('SKX1');
const SALT_BYTES = 16;
const CHUNK_BYTES = 64 * 1024;
const TAG_BYTES = 16;

export function sealingSink(target: Sink, key: Buffer): Sink {
  const salt = randomBytes(SALT_BYTES);
  const fileKey = keyOf(key, salt);
  let pending = Buffer.alloc(0);
  let counter = 0;
  let isBegun = false;
  const begin = async (): Promise<void> => {
    if (!isBegun) await target.write(Buffer.concat([MAGIC, salt]));
    isBegun = true;
  };
  const sealChunk = async (chunk: Buffer, isLast: boolean): Promise<void> => {
    const cipher = createCipheriv('aes-256-gcm', fileKey, nonceOf(counter, isLast));
    const sealed = Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()]);
    counter += 1;
    await target.write(sealed);
  };
  return {
    write: async (bytes) => {
      await begin();
      pending = Buffer.concat([pending, bytes]);
      // The last chunk is told apart from the others, so one is always held back.
      while (pending.length > CHUNK_BYTES) {
        await sealChunk(pending.subarray(0, CHUNK_BYTES), false);
        pending = pending.subarray(CHUNK_BYTES);
      }
    },
    end: async () => {
      await begin();
      await sealChunk(pending, true);
      await target.end();
    },
  };
}

/** What a sealed file holds, chunk by chunk; a plain error with the reason where it is not whole. */
export async function* openSealed(path: string, key: Buffer): AsyncGenerator<Buffer> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const head = await readAt(file, 0, MAGIC.length + SALT_BYTES);
    if (!head.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error('it is no sealed export');
    const fileKey = keyOf(key, head.subarray(MAGIC.length));
    let at = head.length;
    for (let counter = 0; ; counter += 1) {
      const length = Math.min(CHUNK_BYTES + TAG_BYTES, size - at);
      if (length < TAG_BYTES) throw new Error('its end is missing');
      const isLast = at + length >= size;
      yield openChunk(fileKey, await readAt(file, at, length), { counter, isLast });
      at += length;
      if (isLast) return;
    }
  } finally {
    await file.close();
  }
}

function openChunk(
  key: Buffer,
  sealed: Buffer,
  { counter, isLast }: { readonly counter: number; readonly isLast: boolean },
): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(counter, isLast));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch (cause) {
    throw new Error('it was changed or cut, or belongs to another home', { cause });
  }
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(Math.max(0, length));
  const { bytesRead } = await file.read(bytes, 0, bytes.length, at);
  return bytes.subarray(0, bytesRead);
}

function keyOf(key: Buffer, salt: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, 'safekeep/1 export', 32));
}

function nonceOf(counter: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(counter, 5, 6);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

// ---- a place for what comes later -----------------------------------------------------------------------------------------

/** A nameless file under a key that only this process has: bytes that are written now and read once, later. */
export type Spool = Sink & { readonly read: () => AsyncGenerator<Buffer>; readonly close: () => Promise<void> };

export async function openSpool(path: string, unlink: (path: string) => Promise<void>): Promise<Spool> {
  const file = await open(path, 'wx+', 0o600);
  // Gone from the folder at once: a crash leaves nothing, and the bytes are of no use without the key.
  await unlink(path);
  const [key, iv] = [randomBytes(32), randomBytes(16)];
  const cipher = createCipheriv('aes-256-ctr', key, iv);
  let sizeBytes = 0;
  return {
    write: async (bytes) => {
      const sealed = cipher.update(bytes);
      await writeWhole(file, sealed);
      sizeBytes += sealed.length;
    },
    end: async () => {},
    read: async function* () {
      const decipher = createDecipheriv('aes-256-ctr', key, iv);
      for (let at = 0; at < sizeBytes; at += CHUNK_BYTES) {
        yield decipher.update(await readAt(file, at, Math.min(CHUNK_BYTES, sizeBytes - at)));
      }
    },
    close: async () => await file.close(),
  };
}

/** Gives a file its name, which no other has: a link is refused where a rename would take the place of what is there. Throws `file-exists`. */
export async function placeNew(partial: string, path: string): Promise<void> {
  try {
    await link(partial, path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    throw new SafekeepError('file-exists', { path }, { cause: error });
  }
  await rm(partial);
}
