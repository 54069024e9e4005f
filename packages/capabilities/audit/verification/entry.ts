import type { Commitment, EventRow } from '../model.ts';
import { commitmentsOf, leafBytes, leafWith } from '../rules/leaf.ts';

export type Entry = { readonly bytes: Uint8Array; readonly commitments: readonly Commitment[] };

/** What was hashed for this event, made again from all that stands in its row; undefined where that makes none. */
export function entryOf(row: EventRow): Entry | undefined {
  try {
    const commitments = commitmentsOf(row);
    return { bytes: leafBytes(leafWith(row, commitments)), commitments };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
