import type { Values } from '../model.ts';

/** A change of a row as it is needed to go back in time. */
export type LaterChange = {
  readonly orderNo: bigint;
  readonly action: string;
  readonly record: string | null;
  readonly newRecord: string | null;
  readonly old: Values | null;
  readonly keysOnly: boolean;
};

/** What the row was like when it was inserted: known from what it lost since and from the row itself, or not any more. */
export type Restored =
  | { readonly state: 'known'; readonly values: Values }
  /** The rest is in the row that now has this key. */
  | { readonly state: 'live'; readonly record: string; readonly values: Values }
  /** An erasure left its values out, or a TRUNCATE took the row. */
  | { readonly state: 'lost'; readonly values: Values; readonly erased: boolean };

/**
 * An INSERT is written without its values: writing them a second time is what makes audited bulk loads slow. They are the old values of
 * what changed since, and for the rest the row as it stands. `changes` are those of the same table after the INSERT, in order.
 */
export function restoreInsert(record: string, changes: Iterable<LaterChange>): Restored {
  let current = record;
  let erased = false;
  const values: Record<string, Values[string]> = {};
  const gone = new Set<string>();
  for (const change of changes) {
    if (change.action === 'truncate') return { state: 'lost', values, erased };
    if (change.record !== current) continue;
    // The key is used anew, so the row was taken by something that left no event of its own.
    if (change.action === 'insert') return { state: 'lost', values, erased };
    erased ||= change.keysOnly;
    for (const [column, value] of Object.entries(change.old ?? {})) {
      if (column in values || gone.has(column)) continue;
      if (change.keysOnly) gone.add(column);
      else values[column] = value;
    }
    if (change.action === 'delete') return erased ? { state: 'lost', values, erased } : { state: 'known', values };
    current = change.newRecord ?? current;
  }
  return erased ? { state: 'lost', values, erased } : { state: 'live', record: current, values };
}
