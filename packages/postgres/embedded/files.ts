import { chmod, mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { codeOf, SafekeepError } from '@safekeep/core';
import { syncFolder } from '@safekeep/files';

/** Makes a folder, and those above it that are missing, with this mode whatever the umask. One that stands is left as it is. */
export async function makeFolder(path: string, mode: number): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    await chmod(folder, mode);
    if (folder === first || folder === dirname(folder)) return;
  }
}

/** The text of a file; `undefined` only where there is none: a file that may not be read must never be taken for a missing one. */
export async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const reason = codeOf(cause);
    if (reason === 'ENOENT' || reason === 'ENOTDIR') return undefined;
    throw new SafekeepError('file-unreadable', { path, reason: reason ?? 'unknown' }, { cause });
  }
}

/** Writes a file so that a crash leaves the old one or the new one, never a half. Mode 0600, owned like its folder. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const half = `${path}.${process.pid}`;
  const file = await open(half, 'w', 0o600);
  try {
    // Root at work in somebody's home leaves nothing there that its owner cannot read.
    if (process.getuid?.() === 0) {
      const { uid, gid } = await stat(dirname(path));
      await file.chown(uid, gid);
    }
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(half, path);
  await syncFolder(dirname(path));
}
