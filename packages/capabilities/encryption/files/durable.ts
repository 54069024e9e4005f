import { chmod, link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { randomBytes } from 'node:crypto';
import { SafekeepError } from '@safekeep/core';
import { codeOf } from '@safekeep/postgres';

const OTHERS = 0o077;
/** A key file is a few hundred bytes; what is larger is none. Exports are read in lines and not by this. */
const FILE_BYTES_AT_MOST = 4 * 2 ** 20;

/** A folder that only its owner enters. Throws `key-store-unwritable`. */
export async function makeFolder(path: string): Promise<void> {
  await writing(path, async () => {
    const made = await mkdir(path, { recursive: true, mode: 0o700 });
    await chmod(path, 0o700);
    if (made !== undefined) await syncFolder(dirname(made));
  });
}

/** Written whole under another name and linked into place: of two processes one wins. False where there is one already. */
export async function createOnce(path: string, text: string): Promise<boolean> {
  return await writing(path, async () => {
    const half = await writeHalf(path, text);
    try {
      await link(half, path);
      await syncFolder(dirname(path));
      return true;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      return false;
    } finally {
      await rm(half, { force: true });
    }
  });
}

/** The new text or the old one is there, whenever the machine stops. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await writing(path, async () => {
    const half = await writeHalf(path, text);
    try {
      await rename(half, path);
    } catch (error) {
      await rm(half, { force: true });
      throw error;
    }
    await syncFolder(dirname(path));
  });
}

/** Overwrites what stood there before it is removed. A disk that writes elsewhere (flash, snapshots) may keep a copy all the same. */
export async function destroyFile(path: string): Promise<void> {
  await writing(path, async () => {
    const file = await open(path, 'r+').catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (file === undefined) return;
    try {
      const { size } = await file.stat();
      await file.write(randomBytes(size), 0, size, 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await rm(path, { force: true });
    await syncFolder(dirname(path));
  });
}

/** Throws `key-file-unsafe`, `file-unreadable`. Undefined where there is none. */
export async function readPrivate(path: string): Promise<string | undefined> {
  try {
    const { mode, size } = await stat(path);
    if ((mode & OTHERS) !== 0) throw new SafekeepError('key-file-unsafe', { path, mode: (mode & 0o777).toString(8) });
    if (size > FILE_BYTES_AT_MOST) throw new SafekeepError('key-file-broken', { path, reason: 'it is far too large' });
    return await readFile(path, 'utf8');
  } catch (cause) {
    const code = codeOf(cause);
    if (cause instanceof SafekeepError || code === undefined) throw cause;
    if (code === 'ENOENT') return undefined;
    throw new SafekeepError('file-unreadable', { path, reason: code }, { cause });
  }
}

export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Throws `key-store-unwritable` for what the disk or its rights refuse. */
export async function writing<Result>(path: string, action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (cause) {
    const code = codeOf(cause);
    if (cause instanceof SafekeepError || code === undefined) throw cause;
    throw new SafekeepError('key-store-unwritable', { path, reason: code }, { cause });
  }
}

async function writeHalf(path: string, text: string): Promise<string> {
  const half = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.half`;
  const file = await open(half, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  return half;
}
