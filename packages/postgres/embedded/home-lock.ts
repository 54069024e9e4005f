import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { SafekeepError } from '@safekeep/core';
import { birthOf } from './processes.ts';

/** A process that uses the home's server. */
export type HomeUser = { readonly pid: number; readonly purpose: string };

/** The list of users of a home, readable and writable only while the lock is held. */
export type HomeUsers = {
  /** Users that still run; the entries of dead processes are dropped on the way. */
  readonly living: () => readonly HomeUser[];
  readonly add: (lease: string, purpose: string, pid?: number) => void;
  readonly remove: (lease: string) => void;
};

const LOCK_PAUSE_MS = 20;
// initdb on a slow disk is the longest thing that anyone does under the lock.
const LOCK_PATIENCE_MS = 180_000;

/**
 * Runs `action` while no other process holds the lock of this home.
 *
 * The lock is a write transaction on a small SQLite file: the system releases it when its holder dies, however it dies, so
 * there are no stale locks to heal and no race in healing them.
 */
export async function withHomeLock<Result>(home: string, action: (users: HomeUsers) => Promise<Result>): Promise<Result> {
  const file = openLock(home);
  try {
    file.exec('PRAGMA busy_timeout = 0');
    // Exclusive at once: an upgrade at the end could find readers in its way.
    await whenFree(file, 'BEGIN EXCLUSIVE');
    file.exec('CREATE TABLE IF NOT EXISTS home_user (lease TEXT PRIMARY KEY, pid INTEGER, born TEXT, purpose TEXT)');
    const result = await action(usersOf(file));
    await whenFree(file, 'COMMIT');
    return result;
  } finally {
    // Closing rolls an open transaction back: after a failure the list stands as it was.
    file.close();
  }
}

function openLock(home: string): DatabaseSync {
  const path = join(home, 'home.lock');
  try {
    const file = new DatabaseSync(path);
    // Whoever can read the file can lock it.
    chmodSync(path, 0o600);
    return file;
  } catch (cause) {
    throw new SafekeepError('home-not-writable', { path: home, reason: 'home.lock cannot be opened' }, { cause });
  }
}

async function whenFree(file: DatabaseSync, statement: 'BEGIN EXCLUSIVE' | 'COMMIT'): Promise<void> {
  const deadline = performance.now() + LOCK_PATIENCE_MS;
  for (;;) {
    try {
      file.exec(statement);
      return;
    } catch (error) {
      const busy = error instanceof Error && /locked|busy/i.test(error.message);
      if (!busy || performance.now() > deadline) throw error;
      // Waiting here and not inside SQLite leaves this process free to finish what another of its calls holds the lock for.
      await wait(LOCK_PAUSE_MS);
    }
  }
}

function usersOf(file: DatabaseSync): HomeUsers {
  return {
    living: () => {
      const living: HomeUser[] = [];
      for (const row of file.prepare('SELECT lease, pid, born, purpose FROM home_user').all()) {
        const user = { pid: Number(row['pid']), purpose: String(row['purpose']) };
        if (birthOf(user.pid) === row['born']) living.push(user);
        else file.prepare('DELETE FROM home_user WHERE lease = ?').run(String(row['lease']));
      }
      return living;
    },
    add: (lease, purpose, pid = process.pid) => {
      file.prepare('INSERT OR REPLACE INTO home_user VALUES (?, ?, ?, ?)').run(lease, pid, birthOf(pid) ?? '', purpose);
    },
    remove: (lease) => {
      file.prepare('DELETE FROM home_user WHERE lease = ?').run(lease);
    },
  };
}
