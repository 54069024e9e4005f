import type { KeyState, KeyText } from '../model.ts';

/** Random 96-bit IVs: beyond 2^32 under one key a repeated one is no longer improbable (NIST SP 800-38D, 8.3). */
export const USES_WARNED = 2 ** 30;
export const USES_AT_MOST = 2 ** 31;
/** A key is announced so long before it expires. */
const EXPIRY_WARNED_MS = 30 * 86_400_000;
/** Epochs are rolled weekly: until then a copy of the database and the key file together open what was shredded. */
export const EPOCH_AGE_MS = 7 * 86_400_000;
/** The weekly job that comes at its hour is not late; one that did not come for a day is. */
export const EPOCH_OVERDUE_MS = EPOCH_AGE_MS + 86_400_000;
/** So many uses in one batch, and ten times what the key's days before would give, is told as unusual. */
export const UNUSUAL_USES = 10_000;
const UNUSUAL_FACTOR = 10;

const next: Readonly<Record<KeyState, readonly KeyState[]>> = {
  'pre-active': ['active', 'shredded'],
  'active': ['decrypt-only', 'held', 'shredded'],
  'decrypt-only': ['held', 'shredded'],
  // Back where the request to destroy it was taken back.
  'held': ['active', 'decrypt-only', 'shredded'],
  'shredded': [],
};

export function mayBecome(from: KeyState, to: KeyState): boolean {
  return next[from].includes(to);
}

/** Whether new values are sealed under it. */
export function seals(state: KeyState): boolean {
  return state === 'active' || state === 'held';
}

type Lived = Pick<KeyText, 'state' | 'uses' | 'expiresAt' | 'purpose'>;

/** What somebody should know of a key. */
export function alertsOf({ state, uses, expiresAt, purpose }: Lived, now: Date): readonly string[] {
  if (state === 'shredded') return [];
  const alerts: string[] = [];
  const leftMs = expiresAt === null ? Infinity : Date.parse(expiresAt) - now.getTime();
  if (leftMs <= 0) alerts.push('expired');
  else if (leftMs <= EXPIRY_WARNED_MS) alerts.push('expires-soon');
  if (purpose !== 'index' && uses >= USES_AT_MOST) alerts.push('spent');
  else if (purpose !== 'index' && uses >= USES_WARNED) alerts.push('many-uses');
  return alerts;
}

export type Usage = { readonly uses: number; readonly before: number; readonly createdAt: Date; readonly sinceMs: number };

/** Ten times as often as in the days before, and not a few times only. */
export function isUnusual({ uses, before, createdAt, sinceMs }: Usage, now: Date): boolean {
  const livedMs = now.getTime() - createdAt.getTime() - sinceMs;
  if (uses < UNUSUAL_USES || before === 0 || livedMs < 86_400_000) return false;
  return uses / Math.max(1, sinceMs) > (UNUSUAL_FACTOR * before) / livedMs;
}
