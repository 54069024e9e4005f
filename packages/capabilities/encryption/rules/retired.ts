import type { KeyText } from '../model.ts';

/** What the records of encrypted columns say of a scope. */
export type KeyStanding = {
  /** Its keys are of encrypted columns, and counted with these. */
  readonly isOfField: boolean;
  /** The column is encrypted, or on its way. */
  readonly stands: boolean;
  /** An index is made with it. */
  readonly isIndexed: boolean;
};

/** Why a key may not be destroyed; null where it may, once nothing is sealed under it. */
export function standingKey(
  { purpose, state }: Pick<KeyText, 'purpose' | 'state'>,
  { isOfField, stands, isIndexed }: KeyStanding,
): string | null {
  if (purpose === 'subject') return 'it is of a person, and goes when they are erased';
  if (!isOfField) return 'it is of no encrypted column: what your application seals under it by itself nobody counts';
  if (!stands) return null;
  if (purpose === 'index') return isIndexed ? 'an index is made with it' : null;
  return state === 'decrypt-only' ? null : 'the column is sealed under it from now on';
}
