import { chmodSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { currentFile, rotatedFile, rotatedNumbers } from './files.ts';

export type RotationLimits = {
  /** A file that would grow beyond this is rotated first. */
  readonly maxFileBytes: number;
  /** Files kept, the one being written among them. */
  readonly maxFiles: number;
};

const LOCK = 'rotation.lock';
// SQLITE_BUSY (sqlite.org/rescode.html): somebody else holds the lock.
const BUSY = 5;
/**
 * Renaming takes less than a millisecond; a holder that the system has put aside may take longer. Nobody waits longer for it
 * than this: writing goes on into the full file, which is too long then, and no line is lost.
 */
const PATIENCE_MS = 20;

/**
 * Sets the current file aside under the next number and removes the oldest beyond the limit. Does nothing where another
 * process has just done it or does not get it done: of all that find the file full, one rotates.
 */
export function rotate(directory: string, { maxFileBytes, maxFiles }: RotationLimits, incomingBytes: number): void {
  withLock(directory, () => {
    const current = currentFile(directory);
    const size = statSync(current, { throwIfNoEntry: false })?.size ?? 0;
    if (size === 0 || size + incomingBytes <= maxFileBytes) return;
    const numbers = rotatedNumbers(directory);
    renameSync(current, rotatedFile(directory, (numbers.at(-1) ?? 0) + 1));
    // The one just set aside and the new current one are among those that stay.
    for (const number of numbers.slice(0, Math.max(0, numbers.length + 2 - maxFiles)))
      rmSync(rotatedFile(directory, number), { force: true });
  });
}

/**
 * A write transaction on an empty SQLite file, as with the lock of the home: the system releases it when its holder dies,
 * so there is no stale lock to heal. Nothing is ever written into it: it works on a full disk.
 */
function withLock(directory: string, action: () => void): void {
  const path = join(directory, LOCK);
  const file = new DatabaseSync(path, { timeout: PATIENCE_MS });
  try {
    chmodSync(path, 0o600);
    file.exec('BEGIN IMMEDIATE');
    action();
  } catch (error) {
    if (!(error instanceof Error && 'errcode' in error && error.errcode === BUSY)) throw error;
  } finally {
    file.close();
  }
}
