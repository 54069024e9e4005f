import { isDeepStrictEqual } from 'node:util';
import type pg from 'pg';
import type { Capture, EventRow } from '../model.ts';
import type { OpenedChange } from '../store/event-values.ts';
import type { FaultList } from './faults.ts';
import type { RowValues } from './model.ts';
import { isThere, lastTruncate, walkEvents, walkRows, type LiveRow, type Walk } from './store/rows.ts';
import { readCaptures } from './store/standing.ts';

/** Rows and events fetched at once. */
const BATCH = 1000;

type Ground = {
  readonly tenant: string;
  readonly valuesOf: RowValues;
  readonly signal: AbortSignal;
  readonly faults: FaultList;
};

/**
 * Holds every row of every captured table against what the log says of it last: a value that no event explains was written with
 * triggers off. Of columns that were never written since capture began the log knows nothing, and nothing is said of them; of a
 * row without any event only whether it was written since.
 */
export async function checkRows(client: pg.ClientBase, ground: Ground): Promise<void> {
  for (const capture of await readCaptures(client, ground.tenant)) {
    // A table without a key has no history of a row, and one that is gone is told by its triggers.
    if (capture.key.length > 0 && (await isThere(client, capture))) await checkTable(client, capture, ground);
  }
}

async function checkTable(client: pg.ClientBase, capture: Capture, ground: Ground): Promise<void> {
  const emptied = await lastTruncate(client, capture);
  const rows = await walkRows(client, capture);
  const events = await walkEvents(client, capture);
  const live = peekable(rows);
  const unexplained: LiveRow[] = [];
  const movedTo = new Set<string>();
  for await (const histories of batchesOf(historiesOf(events))) {
    ground.signal.throwIfAborted();
    const values = await ground.valuesOf(
      client,
      histories.flatMap((history) => history.events),
    );
    for (const history of histories) {
      await skipTo(live, history.record, unexplained);
      const row = (await live.peek())?.record === history.record ? await live.take() : undefined;
      const known = stateOf(history, values, emptied);
      for (const key of known.movedTo(capture)) movedTo.add(key);
      compare(capture, { history, row, known }, ground.faults);
    }
  }
  await skipTo(live, undefined, unexplained);
  for (const { record } of unexplained.filter((row) => !movedTo.has(row.record))) {
    ground.faults.add(
      'row-unexplained',
      `${capture.table}: the row ${record} was written since capture began, and the log has no event of it.`,
    );
  }
  await rows.end();
  await events.end();
}

/** Rows below `record` have no event. Those written since capture began should have one. */
async function skipTo(live: Peekable<LiveRow>, record: string | undefined, unexplained: LiveRow[]): Promise<void> {
  const isNext = (row: LiveRow | undefined): row is LiveRow =>
    row !== undefined && (record === undefined || isBelow(row.record, record));
  for (let row = await live.peek(); isNext(row); row = await live.peek()) {
    if (row.isNewer && unexplained.length < UNEXPLAINED_AT_MOST) unexplained.push(row);
    await live.take();
  }
}

/** More than are told anyway. */
const UNEXPLAINED_AT_MOST = 10_000;

type History = { readonly record: string; readonly events: readonly EventRow[] };

/** What the log says of a row now. */
type State = {
  /** Undefined where it cannot be said: its key was changed, or its table was emptied. */
  readonly exists: boolean | undefined;
  /** By column; a column that is not in it is not known. */
  readonly values: ReadonlyMap<string, { readonly value: unknown; readonly index: number }>;
  readonly movedTo: (capture: Capture) => readonly string[];
};

function stateOf(
  { events }: History,
  changes: ReadonlyMap<string, OpenedChange>,
  emptied: { readonly era: number; readonly index: number } | undefined,
): State {
  const values = new Map<string, { value: unknown; index: number }>();
  const settled = new Set<string>();
  const made: Readonly<Record<string, unknown>>[] = [];
  let isWhole = true;
  for (const event of events) {
    const change = changes.get(event.id);
    if (event.action === 'delete') break;
    if (change === undefined || change === 'erased' || change === 'unreadable') {
      // Of what it wrote nothing is known any more, nor of what was written there before.
      for (const column of event.columns ?? []) settled.add(column);
      isWhole = isWhole && (event.columns ?? []).length > 0;
      continue;
    }
    if (change.new !== undefined) made.push(change.new);
    for (const [column, value] of Object.entries(change.new ?? {})) {
      if (!settled.has(column) && isWhole) values.set(column, { value, index: event.index });
      settled.add(column);
    }
  }
  const [newest] = events;
  const wasEmptied = emptied !== undefined && newest !== undefined && isBefore(newest, emptied);
  return {
    exists: newest === undefined ? undefined : newest.action !== 'delete' && !wasEmptied,
    values: wasEmptied ? new Map() : values,
    movedTo: ({ key }) =>
      made.flatMap((written) => (key.every(({ name }) => name in written) ? [keyOf(key.map(({ name }) => written[name]))] : [])),
  };
}

function isBefore(event: EventRow, { era, index }: { readonly era: number; readonly index: number }): boolean {
  return event.era < era || (event.era === era && event.index < index);
}

/** As safekeep.key_part joins it. */
function keyOf(parts: readonly unknown[]): string {
  return parts.map((part) => String(part).replaceAll('\\', '\\\\').replaceAll(',', '\\,')).join(',');
}

function compare(
  capture: Capture,
  { history, row, known }: { readonly history: History; readonly row: LiveRow | undefined; readonly known: State },
  faults: FaultList,
): void {
  const newest = history.events[0]?.index;
  const of = `${capture.table}: the row ${history.record}`;
  if (row === undefined) {
    const moved = known.movedTo(capture).some((key) => key !== history.record);
    if (known.exists === true && !moved)
      faults.add('row-unexplained', `${of} is gone, and the log has it last as changed, not as deleted.`, newest);
    return;
  }
  if (known.exists === false) {
    faults.add('row-unexplained', `${of} is there, and the log has it last as deleted.`, newest);
    return;
  }
  const different = [...known.values].filter(
    ([column, { value }]) => column in row.values && !isDeepStrictEqual(row.values[column] ?? null, value ?? null),
  );
  if (different.length === 0) return;
  const names = different.map(([column]) => column).join(', ');
  faults.add(
    'row-unexplained',
    `${of} has other values in ${names} than event ${different[0]?.[1].index} left there.`,
    different[0]?.[1].index,
  );
}

/** Byte order, as the database sorted them by. */
function isBelow(left: string, right: string): boolean {
  return Buffer.compare(Buffer.from(left, 'utf8'), Buffer.from(right, 'utf8')) < 0;
}

async function* historiesOf(walk: Walk<EventRow>): AsyncGenerator<History> {
  let current: { record: string; events: EventRow[] } | undefined;
  for (let rows = await walk.next(BATCH); rows.length > 0; rows = await walk.next(BATCH)) {
    for (const event of rows) {
      const record = event.record ?? '';
      if (current !== undefined && current.record !== record) {
        yield current;
        current = undefined;
      }
      current ??= { record, events: [] };
      current.events.push(event);
    }
  }
  if (current !== undefined) yield current;
}

async function* batchesOf(histories: AsyncIterable<History>): AsyncGenerator<readonly History[]> {
  let batch: History[] = [];
  for await (const history of histories) {
    batch.push(history);
    if (batch.length === BATCH) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

type Peekable<Item> = { readonly peek: () => Promise<Item | undefined>; readonly take: () => Promise<Item | undefined> };

function peekable<Item>(walk: Walk<Item>): Peekable<Item> {
  let [ahead, at, isDone]: [readonly Item[], number, boolean] = [[], 0, false];
  const peek = async (): Promise<Item | undefined> => {
    if (at >= ahead.length && !isDone) {
      [ahead, at] = [await walk.next(BATCH), 0];
      isDone = ahead.length === 0;
    }
    return ahead[at];
  };
  return {
    peek,
    take: async () => {
      const item = await peek();
      at += 1;
      return item;
    },
  };
}
