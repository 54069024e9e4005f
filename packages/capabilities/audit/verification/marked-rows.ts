import type pg from 'pg';
import type { Capture } from '../model.ts';
import { isBeginning, newestFirst, type Said } from './row-state.ts';
import { walkMarked, type MarkedEvent } from './store/rows.ts';

/** Events fetched at once. */
const BATCH = 5000;

/** By the mark of a row of an erased person: what is said of it, the newest first, as far back as it says anything of the row of today. */
export type Marked = Map<string, readonly Said[]>;

/** Reads all of them of a table: there are as many as rows of erased people that are left. */
export async function readMarked(
  client: pg.ClientBase,
  capture: Capture,
  { signal }: { readonly signal: AbortSignal },
): Promise<Marked> {
  const all: MarkedEvent[] = [];
  const events = await walkMarked(client, capture);
  for (let batch = await events.next(BATCH); batch.length > 0; batch = await events.next(BATCH)) {
    signal.throwIfAborted();
    all.push(...batch);
  }
  await events.end();
  return markedOf(all);
}

/** The newest first. */
export function markedOf(events: readonly MarkedEvent[]): Marked {
  const found = new Map<string, Said[]>();
  const ended = new Set<string>();
  const add = (mark: string, said: Said): void => {
    if (ended.has(mark)) return;
    const known = found.get(mark);
    if (known === undefined) found.set(mark, [said]);
    else known.push(said);
    if (isBeginning(said)) ended.add(mark);
  };
  for (const event of events) {
    const said = saidByMarks(event);
    add(event.row, said);
    // Under its new key it is the same row, of which that much is known.
    if (event.movedTo !== null) add(event.movedTo, { ...said, movesTo: undefined });
  }
  return new Map([...found].map(([mark, said]) => [mark, newestFirst(said)]));
}

function saidByMarks({ era, index, action, columns, marks, withheld, movedTo }: MarkedEvent): Said {
  return {
    era,
    index,
    action,
    values: {},
    marks: marks ?? {},
    old: {},
    isWhole: false,
    isNamed: false,
    columns,
    needsRemain: withheld && action !== 'delete',
    movesTo: movedTo ?? undefined,
    mayMove: false,
  };
}
