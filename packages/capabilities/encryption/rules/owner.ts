import { createHmac, type KeyObject } from 'node:crypto';
import type { Fate, KeyOwner } from '../model.ts';

const MARK_BYTES = 16;

/** How an answer of `forSealing` names an owner. */
export function ownerName({ tenant, subject, fate }: KeyOwner): string {
  return `${tenant}/${subject}/${fate}`;
}

/** Says to nobody without the tenant's key whose key it is. */
export function ownerMark(key: KeyObject, subject: string, fate: Fate): Buffer {
  return createHmac('sha256', key).update(`safekeep/1 owner ${fate} ${subject}`).digest().subarray(0, MARK_BYTES);
}
