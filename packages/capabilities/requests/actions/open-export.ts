import { randomBytes } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { codeOf, SafekeepError } from '@safekeep/core';
import { homeKey, homeKeyPath, readPrivate } from '@safekeep/files';
import { fileFailure, fileSink, openSealed, placeNew } from '../export/sink.ts';

const KEY_FILE = /^([0-9a-f]{64})\n$/;

/**
 * The key that exports are sealed with in this home; made on first use, mode 0600. Lost, the kept exports are lost with it, and
 * can be made again. Throws `key-file-unsafe`, `key-file-broken`.
 */
export async function exportKey(home: string): Promise<Buffer> {
  return keyIn(await homeKey(home, 'exports.key', () => `${randomBytes(32).toString('hex')}\n`), home);
}

/** The same for what is sealed already, which no new key would open. Throws `key-file-broken` where there is none, too. */
export async function knownExportKey(home: string): Promise<Buffer> {
  return keyIn(await readPrivate(homeKeyPath(home, 'exports.key')), home);
}

function keyIn(text: string | undefined, home: string): Buffer {
  const path = homeKeyPath(home, 'exports.key');
  if (text === undefined) throw new SafekeepError('key-file-broken', { path, reason: 'it is gone' });
  const [, hex] = KEY_FILE.exec(text) ?? [];
  if (hex === undefined) throw new SafekeepError('key-file-broken', { path, reason: 'it is no key of exports' });
  return Buffer.from(hex, 'hex');
}

/**
 * Writes what a sealed export holds to a file, whole or not at all, and says whose it is; null of one that was made before such files said so.
 * Throws `export-broken`, `file-exists`, `export-unwritable`.
 */
export async function openExport(
  key: Buffer,
  file: string,
  out: string,
): Promise<{ readonly file: string; readonly sizeBytes: number; readonly subject: string | null }> {
  const target = resolve(out);
  if ((await stat(target).catch(() => undefined)) !== undefined) throw new SafekeepError('file-exists', { path: target });
  const partial = `${target}.${randomBytes(4).toString('hex')}.partial`;
  let sizeBytes = 0;
  let subject: string | null = null;
  try {
    const sink = await fileSink(partial);
    try {
      for await (const bytes of openSealed(file, key, (person) => (subject = person))) {
        sizeBytes += bytes.length;
        await sink.write(bytes);
      }
      await sink.end();
    } catch (error) {
      await sink.abandon();
      throw error;
    }
    await placeNew(partial, target);
    return { file: target, sizeBytes, subject };
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
