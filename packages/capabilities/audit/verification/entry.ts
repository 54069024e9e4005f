import type { EventRow } from '../model.ts';
import { leafBytes, leafOf } from '../rules/leaf.ts';

/** The bytes that were hashed for this event; undefined where somebody wrote commitments that are none. */
export function entryOf(row: EventRow): Uint8Array | undefined {
  try {
    return leafBytes(leafOf(row));
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
