import type { Epoch, Horizon, KnownCopy } from '../model.ts';
import { EPOCH_AGE_MS } from './life.ts';

export type HorizonFacts = {
  /** The epochs that the destroyed keys were wrapped under. Empty: no key was ever made. */
  readonly epochs: readonly Epoch[];
  /** Backups of keys that hold the key of one of these epochs, or of one before. */
  readonly keyCopies: readonly KnownCopy[];
  /** Backups, WAL and replicas that may hold plaintext; `unknown` where nobody keeps account of them. */
  readonly plaintextCopies: readonly KnownCopy[] | 'unknown';
  readonly now: Date;
};

/**
 * The latest of the destruction of the epochs' keys, of the end of every backup of those keys, and of every copy that holds
 * plaintext; unknown as soon as one of them is.
 */
export function horizonOf({ epochs, keyCopies, plaintextCopies, now }: HorizonFacts): Horizon {
  const reasons: string[] = [];
  const days: number[] = [];
  for (const { epoch, state, createdAt, destroyedAt } of epochs) {
    if (destroyedAt !== null) {
      days.push(destroyedAt.getTime());
      continue;
    }
    // What is due but was not done is not promised for the past.
    const due = createdAt.getTime() + EPOCH_AGE_MS;
    if (due <= now.getTime()) reasons.push(`epoch ${epoch} is ${state} and overdue: run "safekeep keys rotate epoch"`);
    else days.push(due);
  }
  for (const { name, until } of [...keyCopies, ...(plaintextCopies === 'unknown' ? [] : plaintextCopies)]) {
    if (until === null) reasons.push(`${name} has no end`);
    else days.push(until.getTime());
  }
  if (plaintextCopies === 'unknown') reasons.push('nobody keeps account of backups, WAL and replicas');
  if (reasons.length > 0) return { state: 'unknown', at: null, reasons };
  const at = new Date(Math.max(...days, 0));
  return days.length === 0 || at <= now
    ? { state: 'passed', at: days.length === 0 ? null : at, reasons }
    : { state: 'scheduled', at, reasons };
}
