import type { IndexKey } from '@safekeep/crypto';
import type { Fate, KeyOwner } from '../model.ts';

const MARK_BYTES = 16;

/** How an answer of `forSealing` names an owner. */
export function ownerName({ tenant, subject, fate }: KeyOwner): string {
  return `${tenant}/${subject}/${fate}`;
}

/** Says to nobody without the tenant's key whose key it is. */
export function ownerMark(key: IndexKey, subject: string, fate: Fate): Buffer {
  return key.digest(`safekeep/1 owner ${fate}`, subject).subarray(0, MARK_BYTES);
}
