import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SafekeepError } from '@safekeep/core';
import { makeFolder } from './durable.ts';

/**
 * Runs `action` while nobody else rotates, rolls, recovers or backs up keys of this store. A write transaction on an empty SQLite
 * file: the system ends it with its holder, however that dies. Throws `key-busy` at once where somebody else has it.
 */
export async function withStoreLock<Result>(directory: string, action: () => Promise<Result>): Promise<Result> {
  await makeFolder(directory);
  const path = join(directory, 'keys.lock');
  let file: DatabaseSync;
  try {
    file = new DatabaseSync(path);
  } catch (cause) {
    throw new SafekeepError('key-store-unwritable', { path, reason: 'it cannot be opened' }, { cause });
  }
  try {
    chmodSync(path, 0o600);
    file.exec('PRAGMA busy_timeout = 0');
    begin(file, path);
    return await action();
  } finally {
    // Ends the transaction too.
    file.close();
  }
}

function begin(file: DatabaseSync, path: string): void {
  try {
    file.exec('BEGIN IMMEDIATE');
  } catch (cause) {
    if (cause instanceof Error && /locked|busy/i.test(cause.message)) throw new SafekeepError('key-busy', {}, { cause });
    throw new SafekeepError('key-store-unwritable', { path, reason: 'it cannot be locked' }, { cause });
  }
}
