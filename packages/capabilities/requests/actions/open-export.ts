import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { codeOf, SafekeepError } from '@safekeep/core';
import { fileFailure, fileSink, openSealed, placeNew } from '../export/sink.ts';

const KEY_FILE = /^([0-9a-f]{64})\n$/;
const OTHERS = 0o077;

/**
 * The key that exports are sealed with in this home; made on first use, mode 0600. Lost, the kept exports are lost with it, and
 * can be made again. Throws `key-file-unsafe`, `key-file-broken`.
 */
export async function exportKey(home: string): Promise<Buffer> {
  const directory = join(home, 'keys');
  const path = join(directory, 'exports.key');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const known = await stat(path).catch(() => undefined);
  if (known === undefined) {
    const half = `${path}.${randomBytes(4).toString('hex')}`;
    await writeFile(half, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
    // Of two processes one wins, and both read the winner's.
    await link(half, path).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
    await rm(half);
  } else if ((known.mode & OTHERS) !== 0) {
    throw new SafekeepError('key-file-unsafe', { path, mode: (known.mode & 0o777).toString(8) });
  }
  const [, hex] = KEY_FILE.exec(await readFile(path, 'utf8')) ?? [];
  if (hex === undefined) throw new SafekeepError('key-file-broken', { path, reason: 'it is no key of exports' });
  return Buffer.from(hex, 'hex');
}

/** Writes what a sealed export holds to a file, whole or not at all. Throws `export-broken`, `file-exists`, `export-unwritable`. */
export async function openExport(
  key: Buffer,
  file: string,
  out: string,
): Promise<{ readonly file: string; readonly sizeBytes: number }> {
  const target = resolve(out);
  if ((await stat(target).catch(() => undefined)) !== undefined) throw new SafekeepError('file-exists', { path: target });
  const partial = `${target}.${randomBytes(4).toString('hex')}.partial`;
  let sizeBytes = 0;
  try {
    const sink = await fileSink(partial);
    try {
      for await (const bytes of openSealed(file, key)) {
        sizeBytes += bytes.length;
        await sink.write(bytes);
      }
      await sink.end();
    } catch (error) {
      await sink.abandon();
      throw error;
    }
    await placeNew(partial, target);
    return { file: target, sizeBytes };
  } catch (error) {
    await rm(partial, { force: true });
    const code = codeOf(error);
    if (code === 'ENOENT') throw new SafekeepError('file-unreadable', { path: file, reason: code }, { cause: error });
    if (code !== undefined) throw fileFailure(error, target);
    throw new SafekeepError(
      'export-broken',
      { path: file, reason: error instanceof Error ? error.message : 'unreadable' },
      { cause: error },
    );
  }
}
