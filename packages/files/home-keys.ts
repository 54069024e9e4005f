import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, SafekeepError } from '@safekeep/core';
import { privateFiles, readPrivate, readWhole } from './private-files.ts';

/** The key files of a home, all in its folder `keys`, and all of them in a backup of keys: a new kind belongs in here. */
export const HOME_KEYS = ['audit.key', 'exports.key', 'ledger.key', 'signing.pem', 'signing.vkey'] as const;
export type HomeKeyName = (typeof HOME_KEYS)[number];

/** Folders of a home in which nothing lies before the key was used: what is there was signed with it, or names people by it. */
const TRACES: Partial<Record<HomeKeyName, readonly string[]>> = {
  'audit.key': ['audit'],
  'signing.pem': ['audit', 'certificates', 'ledger'],
};

const { makeFolder, createOnce } = privateFiles();

export function homeKeyPath(home: string, name: HomeKeyName): string {
  return join(home, 'keys', name);
}

/**
 * What a key file of a home holds; undefined where there is none. The public half may be handed to anybody, and is read whoever else may.
 *
 * @throws `key-file-unsafe`, `key-file-broken`, `file-unreadable`
 */
export async function readHomeKey(home: string, name: HomeKeyName): Promise<string | undefined> {
  return await (name === 'signing.vkey' ? readWhole : readPrivate)(homeKeyPath(home, name));
}

/**
 * A key file of a home, made on first use: of two processes one wins, and both read the winner's.
 *
 * @throws what {@link refuseLostKey} throws; `key-file-unsafe`, `key-file-broken`, `file-unwritable`, `disk-full`.
 */
export async function homeKey(home: string, name: HomeKeyName, make: () => string): Promise<string> {
  const path = homeKeyPath(home, name);
  const known = await readHomeKey(home, name);
  if (known !== undefined) return known;
  await refuseLostKey(home, name);
  await makeFolder(join(home, 'keys'));
  await createOnce(path, make());
  return (await readHomeKey(home, name)) ?? '';
}

/**
 * A new key in place of a lost one would be taken for it: what was signed before looks forged from then on, and a recovery finds the
 * place taken.
 *
 * @throws `home-key-lost` where the key is not there and was used before; `file-unreadable`.
 */
export async function refuseLostKey(home: string, name: HomeKeyName): Promise<void> {
  if ((await readHomeKey(home, name)) !== undefined) return;
  for (const trace of (TRACES[name] ?? []).map((folder) => join(home, folder)))
    if (await isUsed(trace)) throw new SafekeepError('home-key-lost', { path: homeKeyPath(home, name), trace });
}

async function isUsed(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length > 0;
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'ENOENT') return false;
    throw new SafekeepError('file-unreadable', { path: folder, reason: code ?? 'unknown reason' }, { cause });
  }
}
