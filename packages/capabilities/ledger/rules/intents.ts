import type { Entry, EntryView, Intent } from '../model.ts';

/** Follows the life of operations from entry to entry. */
export type Intents = {
  /** What is wrong with an entry at this place; it is noted all the same. */
  readonly note: (entry: Entry) => string | undefined;
  /** Intents without an end, oldest first. */
  readonly open: () => readonly Intent[];
};

export function followIntents(): Intents {
  const open = new Map<string, Intent>();
  const ended = new Map<string, 'done' | 'abandoned'>();
  return {
    note: (entry) => {
      const { id, kind } = entry;
      if (entry.kind === 'intent') {
        const isNew = !open.has(id) && !ended.has(id);
        open.set(id, entry);
        return isNew ? undefined : 'an operation begins twice';
      }
      if (entry.kind === 'replayed') return ended.get(id) === 'done' ? undefined : 'what was not done is replayed';
      const wasOpen = open.delete(id);
      ended.set(id, kind === 'done' ? 'done' : 'abandoned');
      return wasOpen ? undefined : 'an operation ends that was not open';
    },
    open: () => [...open.values()],
  };
}

export function entryView(entry: Entry, sequence: number): EntryView {
  const { kind, at, id, tenant, operation, counts, ids } = entry;
  return {
    sequence,
    kind,
    at,
    id,
    tenant,
    operation,
    counts,
    ids,
    marks: entry.kind === 'intent' ? entry.marks.length : 0,
    reason: entry.kind === 'abandoned' ? entry.reason : null,
  };
}
