import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { SafekeepError } from '@safekeep/core';

/** One writer at a time, across processes. */
export type WriterLock = {
  /** Runs `action` while nobody else writes. Calls of one process wait for each other too. Throws `ledger-busy`. */
  readonly hold: <Result>(action: () => Promise<Result>) => Promise<Result>;
  /** After the last action has ended. */
  readonly close: () => void;
};

const PAUSE_MS = 5;

/**
 * The lock is a write transaction, in which nothing is written, on an empty SQLite file: the system ends it with its holder,
 * however that dies, so there is no stale lock to heal.
 */
export function openWriterLock(directory: string, patienceMs: number): WriterLock {
  const path = join(directory, 'ledger.lock');
  const file = new DatabaseSync(path);
  try {
    // Whoever can read the file can lock it.
    chmodSync(path, 0o600);
    file.exec('PRAGMA busy_timeout = 0');
  } catch (error) {
    file.close();
    throw error;
  }
  let last: Promise<unknown> = Promise.resolve();
  const hold = async <Result>(action: () => Promise<Result>): Promise<Result> => {
    await acquire(file, patienceMs);
    try {
      return await action();
    } finally {
      file.exec('ROLLBACK');
    }
  };
  return {
    hold: (action) => {
      const mine = last.then(() => hold(action));
      // The next one goes on whatever becomes of this one; who called is told.
      last = mine.catch(() => undefined);
      return mine;
    },
    close: () => {
      if (file.isOpen) file.close();
    },
  };
}

async function acquire(file: DatabaseSync, patienceMs: number): Promise<void> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      file.exec('BEGIN IMMEDIATE');
      return;
    } catch (error) {
      const busy = error instanceof Error && /locked|busy/i.test(error.message);
      if (!busy) throw error;
      if (performance.now() > deadline)
        throw new SafekeepError('ledger-busy', { seconds: Math.round(patienceMs / 1000) }, { cause: error });
      await wait(PAUSE_MS);
    }
  }
}
