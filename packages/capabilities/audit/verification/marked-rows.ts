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
  const found = new Map<string, Said[]>();
  const ended = new Set<string>();
  const add = (mark: string, said: Said): void => {
    if (ended.has(mark)) return;
    const known = found.get(mark);
    if (known === undefined) found.set(mark, [said]);
    else known.push(said);
    if (isBeginning(said)) ended.add(mark);
  };
  const events = await walkMarked(client, capture);
  for (let batch = await events.next(BATCH); batch.length > 0; batch = await events.next(BATCH)) {
    signal.throwIfAborted();
    for (const event of batch) {
      const said = saidByMarks(event);
      add(event.row, said);
      // Under its new key it is the same row, of which that much is known.
      if (event.movedTo !== null) add(event.movedTo, { ...said, movesTo: undefined });
    }
  }
  await events.end();
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
  };
}
