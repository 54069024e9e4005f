/**
 * The life of an encrypted field, in order. Each phase is entered by one committed transaction, so that a field is always in
 * exactly one of them, whatever died in between. All but `finished` lead back without loss.
 *
 * planned      nothing was touched
 * added        the columns for ciphertext and indexes stand, empty
 * dual-write   a trigger keeps ciphertext and plaintext together: what is written without a key is marked as not sealed
 * backfilling  rows that stood there are sealed
 * verified     every sealed value was opened and compared with its plaintext
 * switched     readers take the ciphertext
 * unread       clients are told that the plaintext beside it is about to go; they still write both
 * nulled       plaintext is refused from now on, and what stood there is gone
 * checked      constraints prove it for every row
 * finished     what was only needed on the way is gone
 *
 * On the way back a field stands in `dual-write` or `switched` until every plaintext stands, and in `added` while clients, who are told
 * of it no more, have not all heard so.
 */
export const phases = [
  'planned',
  'added',
  'dual-write',
  'backfilling',
  'verified',
  'switched',
  'unread',
  'nulled',
  'checked',
  'finished',
] as const;
export type Phase = (typeof phases)[number];

export type Direction = 'in' | 'out';

export function isAtLeast(phase: Phase, other: Phase): boolean {
  return phases.indexOf(phase) >= phases.indexOf(other);
}

/** Whether one committed step leads from a phase to another: forward one at a time, back from anywhere to `dual-write` or out. */
export function mayFollow(from: Phase, to: Phase, direction: Direction): boolean {
  if (direction === 'in') return phases.indexOf(to) === phases.indexOf(from) + 1;
  return phases.indexOf(to) < phases.indexOf(from);
}

/** Plaintext is refused by the database from here on. */
export function refusesPlaintext(phase: Phase): boolean {
  return isAtLeast(phase, 'nulled');
}
