import { chmod, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SafekeepError } from '@safekeep/core';
import { codeOf } from '@safekeep/postgres';
import { newLedgerKey, readLedgerKey, type LedgerKey } from '../rules/mark.ts';
import { syncDirectory } from './segments.ts';

const OTHERS = 0o077;

/**
 * The key of a ledger: made with the ledger and never anew, for without it nobody could tell what was destroyed.
 *
 * @throws `ledger-key-missing`, `key-file-unsafe`, `key-file-broken`.
 */
export async function openLedgerKey(path: string, { hasLedger }: { readonly hasLedger: boolean }): Promise<LedgerKey> {
  if (!(await exists(path))) {
    if (hasLedger) throw new SafekeepError('ledger-key-missing', { path });
    await createOnce(path, newLedgerKey());
  }
  const { mode } = await stat(path);
  if ((mode & OTHERS) !== 0) throw new SafekeepError('key-file-unsafe', { path, mode: (mode & 0o777).toString(8) });
  const key = readLedgerKey(await readFile(path, 'utf8'));
  if (key === undefined) throw new SafekeepError('key-file-broken', { path, reason: 'it is not in the form of a ledger key' });
  return key;
}

/** Written whole under another name and linked into place: of two processes one wins, and both read the winner's. */
async function createOnce(path: string, text: string): Promise<void> {
  const directory = dirname(path);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const half = `${path}.${process.pid}`;
  const file = await open(half, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(half, path);
    await syncDirectory(directory);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    await rm(half, { force: true });
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
