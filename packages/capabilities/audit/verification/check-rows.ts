import { isDeepStrictEqual } from 'node:util';
import type pg from 'pg';
import type { MarkOf } from '../keys/key-file.ts';
import type { Capture, EventRow } from '../model.ts';
import { shortened } from '../rules/baseline.ts';
import { readable, readLiveRows, unlessUnreadable } from '../store/live-rows.ts';
import {
  checkUnkeyed,
  explainMarked,
  holdRow,
  missingKeys,
  missingRows,
  openBaseline,
  readBaselines,
  widened,
  type Baseline,
  type NumberRange,
  type TakenOf,
} from './baseline.ts';
import type { FaultList } from './faults.ts';
import type { RowValues } from './model.ts';
import { readMarked, type Marked } from './marked-rows.ts';
import { isBefore, newestFirst, saidBy, stateOf, type Emptied, type Said } from './row-state.ts';
import { hidesRows, isThere, lastTruncate, plaintextBack, walkEvents, walkRows, type LiveRow, type Walk } from './store/rows.ts';
import { readDrops } from './store/log.ts';
import { readCaptures } from './store/standing.ts';

/** Rows and events fetched at once. */
const BATCH = 1000;

type Ground = {
  readonly tenant: string;
  /** What stood in each table at some place of the log. */
  readonly baselines: ReadonlyMap<string, TakenOf>;
  /** The newest transaction of which an event that was dropped by policy may have told. */
  readonly through: string | undefined;
  readonly valuesOf: RowValues;
  readonly markOf: MarkOf;
  readonly signal: AbortSignal;
  /** Whether the next baseline may be taken over these rows is asked, and not which of them do not hold. */
  readonly isRenewal: boolean;
  readonly faults: FaultList;
};

type Order = Omit<Ground, 'through' | 'baselines' | 'isRenewal'> & {
  readonly isRenewal?: boolean;
  /** These tables alone. */
  readonly only?: readonly string[];
};

/**
 * Holds every row of every captured table against what the log says of it last, and against the baseline of its table: a value that no event
 * explains was written with triggers off. Where a table has no baseline, nothing is said of columns that were never written since capture
 * began, and of a row without any event only whether it was written since. Of a row of an erased person the log knows what the erasure said of
 * it. Answers whether each table that was looked at has one.
 */
export async function checkRows(client: pg.ClientBase, { only, isRenewal = false, ...options }: Order): Promise<boolean> {
  const { tenant, markOf } = options;
  const drops = await readDrops(client, tenant, markOf);
  const newest = drops.reduce((most, { through }) => (BigInt(through) > most ? BigInt(through) : most), 0n);
  const baselines = await readBaselines(client, { tenant, markOf, tables: only ?? null });
  const ground: Ground = { ...options, isRenewal, baselines, through: newest === 0n ? undefined : String(newest) };
  let haveAll = true;
  for (const shared of await readCaptures(client, tenant)) {
    if (only !== undefined && !only.includes(shared.table)) continue;
    const isStanding = await isThere(client, shared);
    // A control that sees some of the rows says nothing of the others.
    if (isStanding && (await hidesRows(client, shared))) {
      options.faults.add(
        'rows-hidden',
        `${shared.table}: row security keeps rows from this login, so none was held against the log.`,
      );
      continue;
    }
    // One that is gone or is no table any more is told by its triggers.
    const seen = isStanding ? await readableNow(client, shared, options.faults) : undefined;
    const hasOne = baselines.get(shared.table)?.isEnded === false;
    haveAll &&= hasOne;
    if (!hasOne)
      options.faults.note(
        `${shared.table} has no baseline: of rows without events, and of columns that no event tells of, an edit is not seen. \`safekeep apply\` orders one.`,
      );
    // Of a table with a column for the tenant each tenant has its own rows, marks and events; TRUNCATE is told in the log of whoever applied the map.
    if (seen !== undefined) await checkTable(client, { capture: { ...seen, tenant }, owner: shared.tenant }, ground);
  }
  return haveAll;
}

/** A control that did not run is no pass: where the table was changed under the capture, that none of its rows was looked at is a fault. */
async function readableNow(client: pg.ClientBase, capture: Capture, faults: FaultList): Promise<Capture | undefined> {
  const read = await unlessUnreadable(client, async () => ({ seen: await readable(client, capture) }));
  if (read === undefined)
    faults.add(
      'rows-unreadable',
      `${capture.table} cannot be read as it is captured: a captured column was dropped, renamed or has another type, or this login may not read it. None of its rows was held against the log.`,
    );
  return read?.seen;
}

type Table = {
  readonly capture: Capture;
  readonly emptied: Emptied | undefined;
  /** By column where it was given its plaintext back last: the log has the ciphertext that stood there before, and the value nowhere. */
  readonly back: ReadonlyMap<string, Emptied>;
  /** What is said of rows that the log may not name; those that were met are taken out. */
  readonly marked: Marked;
  /** By the key that a row has since: what is said of it under the key before. */
  readonly moved: Map<string, readonly Said[]>;
  /** Rows that are no fault where they came from another key: without any event of their own, or none since a deletion. */
  readonly unexplained: Unexplained[];
  readonly baseline: Baseline | undefined;
  /** Of the keys that were met. */
  numbers: NumberRange;
  readonly ground: Ground;
};

type Unexplained = {
  readonly record: string;
  readonly detail: string;
  /** Where the log has the row of this key as deleted, or a baseline has none: it must have come later. */
  readonly absent?: Emptied;
  /** Of the event that it is told with. */
  readonly index?: number;
};

/** More than are told anyway. */
const UNEXPLAINED_AT_MOST = 10_000;

type Owned = { readonly capture: Capture; readonly owner: string };

async function checkTable(client: pg.ClientBase, { capture, owner }: Owned, ground: Ground): Promise<void> {
  const emptied = await lastTruncate(client, capture, owner);
  const back = await plaintextBack(client, capture, owner);
  const known = ground.baselines.get(capture.table);
  const baseline = await openBaseline(client, { capture, known, emptied, back }, ground);
  if (capture.key.length === 0) {
    // It has no history of a row either.
    if (baseline !== undefined) await checkUnkeyed(client, { capture, baseline, owner, emptied }, ground);
    return;
  }
  const marked = await readMarked(client, capture, ground);
  if (baseline !== undefined) explainMarked(baseline, marked);
  const table: Table = { capture, emptied, back, marked, moved: new Map(), unexplained: [], baseline, numbers: undefined, ground };
  const rows = await walkRows(client, capture, { owner, through: ground.through });
  const events = await walkEvents(client, capture);
  const live = peekable(rows);
  for await (const histories of batchesOf(historiesOf(events))) {
    ground.signal.throwIfAborted();
    const opened = await ground.valuesOf(
      client,
      histories.flatMap((history) => history.events),
    );
    for (const { record, events: own } of histories) {
      await skipTo(live, record, table);
      const row = (await live.peek())?.record === record ? await live.take() : undefined;
      const said = own.map((event) => sinceBack(table, saidBy(event, opened.get(event.id), capture)));
      noteMoves(table, said);
      compare(table, { record, row, said: newestFirst([...said, ...takeMarked(table, record)]) });
    }
  }
  await skipTo(live, undefined, table);
  await rows.end();
  await events.end();
  await checkMoved(client, table);
  checkMissing(table);
  for (const each of table.unexplained) if (!hasArrived(table, each)) ground.faults.add('row-unexplained', each.detail, each.index);
  if (baseline === undefined) return;
  if (ground.isRenewal) tellMissing(table, baseline);
  else
    for (const detail of missingRows({ capture, baseline }, ground.markOf, table.numbers))
      ground.faults.add('row-unexplained', detail);
}

/** Trying millions of keys tells a person which rows they are; the sequencer holds its lock meanwhile, and wants to know only whether there are any. */
function tellMissing({ capture, ground }: Table, baseline: Baseline): void {
  const { size } = missingKeys(baseline);
  if (size > 0) ground.faults.add('row-unexplained', `${capture.table}: ${size} row(s) of the baseline are not there any more.`);
}

/** A key may be taken and left again and again: the row of today came by the last of all. `said` is the newest first. */
function noteMoves({ moved }: Table, said: readonly Said[]): void {
  for (const [place, move] of said.entries()) {
    if (move.movesTo === undefined) continue;
    const known = moved.get(move.movesTo)?.[0];
    if (known === undefined || isBefore(known, move)) moved.set(move.movesTo, said.slice(place));
  }
}

function hasArrived({ moved, emptied }: Table, { record, absent }: Unexplained): boolean {
  const move = moved.get(record)?.[0];
  if (move === undefined || (emptied !== undefined && isBefore(move, emptied))) return false;
  return absent === undefined || !isBefore(move, absent);
}

function takeMarked(checked: Table, record: string): readonly Said[] {
  const { marked, capture, ground } = checked;
  const { tenant, table } = capture;
  if (marked.size === 0) return [];
  const mark = ground.markOf([tenant, table, record]);
  const said = marked.get(mark) ?? [];
  marked.delete(mark);
  return said.map((each) => sinceBack(checked, each));
}

/** Without what it said of columns that were given their plaintext back since. */
function sinceBack({ back }: Table, said: Said): Said {
  const columns = [...back].flatMap(([column, place]) => (isBefore(said, place) ? [column] : []));
  return columns.length === 0 ? said : without(said, new Set(columns));
}

/** Rows below `record` have no event that names them. Those written since capture began should have one, or one with their mark. */
async function skipTo(live: Peekable<LiveRow>, record: string | undefined, table: Table): Promise<void> {
  const isNext = (row: LiveRow | undefined): row is LiveRow =>
    row !== undefined && (record === undefined || isBelow(row.record, record));
  for (let row = await live.peek(); isNext(row); row = await live.peek()) {
    await live.take();
    compare(table, { record: row.record, row, said: takeMarked(table, row.record) });
  }
}

type Comparison = {
  readonly record: string;
  readonly row: Pick<LiveRow, 'values' | 'isNewer'> | undefined;
  /** The newest first. */
  readonly said: readonly Said[];
};

/** A row that is not as the log has it last is told once. */
function compare(table: Table, compared: Comparison): void {
  const { faults } = table.ground;
  const before = faults.count();
  compareWithLog(table, compared);
  const { record, row, said } = compared;
  const isTold = faults.count() > before;
  const held = table.baseline && holdWith(table.baseline, table, compared);
  if (isTold) return;
  if (held?.isArrival === false) faults.add('row-unexplained', held.detail);
  else if (held !== undefined)
    explainLater(table, { record, detail: held.detail, ...(table.baseline && { absent: table.baseline.place }) });
  else if (said.length === 0 && row?.isNewer === true) tellNewer(table, record);
}

/** Where the row holds what it held in the baseline, an UPDATE of the application that changed nothing leaves no other trace. */
function tellNewer(table: Table, record: string): void {
  const detail = `${named(table, record)} was written since capture began, and the log has no event of it`;
  if (table.baseline?.columns === undefined) explainLater(table, { record, detail: `${detail}.` });
  else
    table.ground.faults.note(
      `${detail}. It holds what it held when the baseline of event ${table.baseline.index} was taken: it was written without a change, or with one that was taken back unseen.`,
    );
}

function holdWith(baseline: Baseline, table: Table, { record, row, said }: Comparison): ReturnType<typeof holdRow> {
  table.numbers = widened(table.numbers, record);
  return holdRow({ capture: table.capture, baseline }, { record, values: row?.values, said }, table.ground.markOf);
}

/** A row that came from another key is explained by what is said of that one. */
function explainLater({ unexplained }: Table, each: Unexplained): void {
  if (unexplained.length < UNEXPLAINED_AT_MOST) unexplained.push(each);
}

function compareWithLog(
  table: Table,
  { record, row, said }: Pick<Comparison, 'record' | 'said'> & { readonly row: Pick<LiveRow, 'values'> | undefined },
): void {
  const { faults } = table.ground;
  const state = stateOf(said, table.emptied);
  const [last] = said;
  const newest = last?.index;
  if (row === undefined) {
    if (state.exists === true)
      faults.add('row-unexplained', `${named(table, record)} is gone, and the log has it last as changed, not as deleted.`, newest);
    return;
  }
  if (state.exists === false) {
    explainLater(table, {
      record,
      detail: `${named(table, record)} is there, and the log has it last as deleted.`,
      ...(last === undefined ? {} : { absent: last, index: last.index }),
    });
    return;
  }
  const different = [...state.values].filter(
    ([column, known]) => column in row.values && !isSealedHere(table, column, row) && !isAs(table, { record, column, known }, row),
  );
  if (different.length > 0) {
    const [names, index] = [different.map(([column]) => column).join(', '), different[0]?.[1].index];
    faults.add('row-unexplained', `${named(table, record)} has other values in ${names} than event ${index} left there.`, index);
  } else if (state.untold !== undefined) {
    faults.add(
      'row-unexplained',
      `${named(table, record)}: the values of event ${state.untold} were taken out of the log, and no erasure says how the row stands since.`,
      state.untold,
    );
  }
}

/** Beside ciphertext no plaintext counts, and the ciphertext is compared. Of what stood there before it came the log still tells. */
function isSealedHere({ capture }: Table, column: string, { values }: Pick<LiveRow, 'values'>): boolean {
  const sealedIn = capture.columns.find(({ name }) => name === column)?.sealedIn;
  return sealedIn !== undefined && (values[sealedIn] ?? null) !== null;
}

type Asked = {
  readonly record: string;
  readonly column: string;
  readonly known: { readonly value: unknown } | { readonly mark: string };
};

function isAs({ capture, ground }: Table, { record, column, known }: Asked, { values }: Pick<LiveRow, 'values'>): boolean {
  const value = values[column] ?? null;
  return 'mark' in known
    ? ground.markOf([capture.tenant, capture.table, record, column, value]) === known.mark
    : isDeepStrictEqual(shortened(value), shortened(known.value));
}

function named({ capture }: Table, record: string): string {
  return `${capture.table}: the row ${record}`;
}

/** What was said of a row under the key before is held against it too. What is said of it under the key of today was compared already. */
async function checkMoved(client: pg.ClientBase, table: Table): Promise<void> {
  const all = [...table.moved].filter(([, said]) => table.emptied === undefined || !isAllBefore(said, table.emptied));
  for (let from = 0; from < all.length; from += BATCH) {
    const batch = all.slice(from, from + BATCH);
    const records = batch.map(([record]) => record);
    const rows = await readLiveRows(client, table.capture, records);
    const since = await eventsOf(client, table, records);
    for (const [record, said] of batch) {
      const values = rows?.get(record);
      const [move, ...before] = said;
      if (move === undefined) continue;
      // What is said of the key before is said of another row that had it.
      const own = (since.get(record) ?? []).filter((each) => isBefore(move, each));
      if (own.length > 0 && values === undefined) continue;
      // A row that was deleted or moved on since is another one now.
      if (own.some(({ action, movesTo }) => action !== 'update' || movesTo !== undefined)) continue;
      const written = new Set(own.flatMap(({ columns }) => columns ?? []));
      const kept = [{ ...move, movesTo: undefined }, ...before].map((each) => without(each, written));
      compareWithLog(table, { record, row: values && { values }, said: kept });
    }
  }
}

function isAllBefore(said: readonly Said[], { era, index }: Emptied): boolean {
  return said.every((each) => each.era < era || (each.era === era && each.index < index));
}

function without(said: Said, columns: ReadonlySet<string>): Said {
  const rest = <Value>(values: Readonly<Record<string, Value>>): Record<string, Value> =>
    Object.fromEntries(Object.entries(values).filter(([column]) => !columns.has(column)));
  return { ...said, values: rest(said.values), marks: rest(said.marks) };
}

async function eventsOf(
  client: pg.ClientBase,
  table: Table,
  records: readonly string[],
): Promise<ReadonlyMap<string, readonly Said[]>> {
  const { capture, ground } = table;
  const events = await walkEvents(client, capture, records);
  const said = new Map<string, readonly Said[]>();
  for await (const histories of batchesOf(historiesOf(events))) {
    const opened = await ground.valuesOf(
      client,
      histories.flatMap((history) => history.events),
    );
    for (const { record, events: own } of histories)
      said.set(
        record,
        own.map((event) => sinceBack(table, saidBy(event, opened.get(event.id), capture))),
      );
  }
  await events.end();
  return said;
}

/** Rows that an erasure said of how they stand, and that are not there: the log cannot name them, only the event. */
function checkMissing({ marked, emptied, capture, ground }: Table): void {
  for (const said of marked.values()) {
    const [newest] = said;
    if (stateOf(said, emptied).exists !== true) continue;
    const detail = `${capture.table}: the row of an erased person of which event ${newest?.index} said how it stands is gone, and the log has no deletion of it.`;
    ground.faults.add('row-unexplained', detail, newest?.index);
  }
}

/** Byte order, as the database sorted them by. */
function isBelow(left: string, right: string): boolean {
  return Buffer.compare(Buffer.from(left, 'utf8'), Buffer.from(right, 'utf8')) < 0;
}

type History = { readonly record: string; readonly events: readonly EventRow[] };

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
