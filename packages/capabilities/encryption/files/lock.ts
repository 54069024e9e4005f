import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { SafekeepError } from '@safekeep/core';
import { makeFolder } from './key-store.ts';

/**
 * Runs `action` while nobody else rotates, rolls, recovers or backs up keys of this store. A write transaction on an empty SQLite
 * file: the system ends it with its holder, however that dies. Throws `key-busy` where somebody else has it for longer than
 * `patienceMs`.
 */
export async function withStoreLock<Result>(directory: string, action: () => Promise<Result>, patienceMs = 0): Promise<Result> {
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
    await begin(file, path, patienceMs);
    return await action();
  } finally {
    // Ends the transaction too.
    file.close();
  }
}

const PAUSE_MS = 5;

async function begin(file: DatabaseSync, path: string, patienceMs: number): Promise<void> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return file.exec('BEGIN IMMEDIATE');
    } catch (cause) {
      const isBusy = cause instanceof Error && /locked|busy/i.test(cause.message);
      if (!isBusy) throw new SafekeepError('key-store-unwritable', { path, reason: 'it cannot be locked' }, { cause });
      if (performance.now() >= deadline) throw new SafekeepError('key-busy', {}, { cause });
    }
    await wait(PAUSE_MS);
  }
}
