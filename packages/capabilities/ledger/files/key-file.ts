import { dirname } from 'node:path';
import { SafekeepError } from '@safekeep/core';
import { privateFiles, readPrivate } from '@safekeep/files';
import { newLedgerKey, readLedgerKey, type LedgerKey } from '../rules/mark.ts';
import { unwritable } from './segments.ts';

const { makeFolder, createOnce } = privateFiles((path, reason, cause) => unwritable(dirname(path), reason, cause));

/**
 * The key of a ledger: made with the ledger and never anew, for without it nobody could tell what was destroyed.
 *
 * @throws `ledger-key-missing`, `key-file-unsafe`, `key-file-broken`.
 */
export async function openLedgerKey(path: string, { hasLedger }: { readonly hasLedger: boolean }): Promise<LedgerKey> {
  let text = await readPrivate(path);
  if (text === undefined) {
    if (hasLedger) throw new SafekeepError('ledger-key-missing', { path });
    await makeFolder(dirname(path));
    await createOnce(path, newLedgerKey());
    // Of two processes one wins, and both read the winner's.
    text = await readPrivate(path);
  }
  const key = readLedgerKey(text ?? '');
  if (key === undefined) throw new SafekeepError('key-file-broken', { path, reason: 'it is not in the form of a ledger key' });
  return key;
}
