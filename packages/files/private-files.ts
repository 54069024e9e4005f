import { chmod, link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { randomBytes } from 'node:crypto';
import { codeOf, SafekeepError } from '@safekeep/core';

const OTHERS = 0o077;
/** A key file is a few hundred bytes; what is larger is none. */
const FILE_BYTES_AT_MOST = 4 * 2 ** 20;

/** Writing files that are whole or not there, whenever the machine stops, and that only their owner reads. */
export type PrivateFiles = {
  /** A folder that only its owner enters. */
  readonly makeFolder: (path: string) => Promise<void>;
  /** Written whole under another name and linked into place: of two processes one wins. False where there is one already. */
  readonly createOnce: (path: string, text: string) => Promise<boolean>;
  /** The new text or the old one is there. */
  readonly replaceFile: (path: string, text: string) => Promise<void>;
  /** Overwrites what stood there before it is removed. A disk that writes elsewhere (flash, snapshots) may keep a copy all the same. */
  readonly destroyFile: (path: string) => Promise<void>;
  /** Runs `action`, and says of what the disk or its rights refuse what that means. */
  readonly writing: <Result>(path: string, action: () => Promise<Result>) => Promise<Result>;
};

/** What it means to whoever wanted to write that the disk or its rights refused; `reason` is the system's code, as `ENOSPC`. */
export type Unwritable = (path: string, reason: string, cause: unknown) => SafekeepError;

/** `disk-full`, or `file-unwritable`. */
const plainly: Unwritable = (path, reason, cause) =>
  reason === 'ENOSPC' || reason === 'EDQUOT'
    ? new SafekeepError('disk-full', { path }, { cause })
    : new SafekeepError('file-unwritable', { path, reason }, { cause });

/** All of them throw what `unwritable` makes of a refusal. */
export function privateFiles(unwritable: Unwritable = plainly): PrivateFiles {
  const writing: PrivateFiles['writing'] = async (path, action) => {
    try {
      return await action();
    } catch (cause) {
      const code = codeOf(cause);
      if (cause instanceof SafekeepError || code === undefined) throw cause;
      throw unwritable(path, code, cause);
    }
  };
  return {
    makeFolder: (path) => writing(path, () => makeFolder(path)),
    createOnce: (path, text) => writing(path, () => createOnce(path, text)),
    replaceFile: (path, text) => writing(path, () => replaceFile(path, text)),
    destroyFile: (path) => writing(path, () => destroyFile(path)),
    writing,
  };
}

/** Undefined where there is none. Throws `key-file-unsafe` where others may read it, `key-file-broken`, `file-unreadable`. */
export async function readPrivate(path: string): Promise<string | undefined> {
  return await readWhole(path, OTHERS);
}

/** {@link readPrivate} of what others may read, except for those whom `refused` (bits of the mode) names. */
export async function readWhole(path: string, refused = 0): Promise<string | undefined> {
  try {
    const { mode, size } = await stat(path);
    if ((mode & refused) !== 0) throw new SafekeepError('key-file-unsafe', { path, mode: (mode & 0o777).toString(8) });
    if (size > FILE_BYTES_AT_MOST) throw new SafekeepError('key-file-broken', { path, reason: 'it is far too large' });
    return await readFile(path, 'utf8');
  } catch (cause) {
    const code = codeOf(cause);
    if (cause instanceof SafekeepError || code === undefined) throw cause;
    if (code === 'ENOENT') return undefined;
    throw new SafekeepError('file-unreadable', { path, reason: code }, { cause });
  }
}

/** What was made, renamed or removed in this folder is so after a power cut too. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function makeFolder(path: string): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
  if (made !== undefined) await syncFolder(dirname(made));
}

async function createOnce(path: string, text: string): Promise<boolean> {
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
}

async function replaceFile(path: string, text: string): Promise<void> {
  const half = await writeHalf(path, text);
  try {
    await rename(half, path);
  } catch (error) {
    await rm(half, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

async function destroyFile(path: string): Promise<void> {
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
}

async function writeHalf(path: string, text: string): Promise<string> {
  const half = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.half`;
  const file = await open(half, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    // A disk that is full keeps nothing of it.
    await rm(half, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  return half;
}
