import type pg from 'pg';
import type { Capture, EventRow } from '../model.ts';
import { readable, readLiveRows, unlessUnreadable } from '../store/live-rows.ts';
import {
  checkUnkeyed,
  explainMarked,
  missingKeys,
  missingRows,
  openBaseline,
  readBaselines,
  readUntold,
  type Baseline,
  type TakenOf,
} from './baseline.ts';
import {
  compare,
  compareMoved,
  hasArrived,
  noteMoves,
  sinceBack,
  takeMarked,
  toldAs,
  type Move,
  type RowGround,
  type Table,
} from './compare-row.ts';
import { differencesIn, type Differences } from './differences.ts';
import type { FaultList } from './faults.ts';
import { readMarked } from './marked-rows.ts';
import type { Pending } from './pending.ts';
import { newestFirst, saidBy, stateOf, type Emptied, type Said } from './row-state.ts';
import {
  hidesRows,
  isThere,
  lastTruncate,
  plaintextBack,
  readColumnNumbers,
  walkEvents,
  walkRows,
  type LiveRow,
  type Walk,
} from './store/rows.ts';
import { readDrops, readTrees, type TreeRow } from './store/log.ts';
import { readCaptures } from './store/standing.ts';

/** Rows and events fetched at once. */
const BATCH = 1000;

type Ground = RowGround & {
  readonly trees: readonly TreeRow[];
  /** What stood in each table at some place of the log. */
  readonly baselines: ReadonlyMap<string, TakenOf>;
  /** The newest transaction of which an event that was dropped by policy may have told. */
  readonly through: string | undefined;
  /** Whether the next baseline may be taken over these rows is asked, and not which of them do not hold. */
  readonly isRenewal: boolean;
  /** By table, changes that are committed in this snapshot and not in the log. */
  readonly pending: ReadonlyMap<string, Pending>;
};

type Order = RowGround & {
  readonly isRenewal?: boolean;
  readonly pending?: ReadonlyMap<string, Pending>;
  /** These tables alone. */
  readonly only?: readonly string[];
};

/**
 * Holds every row of every captured table against what the log says of it last, and against the baseline of its table: a value that no event
 * explains was written with triggers off. Where a table has no baseline, nothing is said of columns that were never written since capture
 * began, and of a row without any event only whether it was written since. Of a row of an erased person the log knows what the erasure said of
 * it. Answers whether each table that was looked at has one, and what does not hold.
 */
export async function checkRows(
  client: pg.ClientBase,
  { only, isRenewal = false, pending = new Map(), ...order }: Order,
): Promise<{ readonly haveBaselines: boolean; readonly differences: Differences | undefined }> {
  const { tenant, markOf } = order;
  const differences = differencesIn(order.faults, markOf, tenant);
  const options: RowGround = { ...order, faults: differences.faults, onDifferent: differences.note };
  const drops = await readDrops(client, tenant, markOf);
  const newest = drops.reduce((most, { through }) => (BigInt(through) > most ? BigInt(through) : most), 0n);
  const baselines = await readBaselines(client, { tenant, markOf, tables: only ?? null, withInbox: pending.size > 0 });
  const through = newest === 0n ? undefined : String(newest);
  const ground: Ground = { ...options, isRenewal, pending, baselines, through, trees: await readTrees(client, tenant) };
  const untold = await readUntold(client, { tenant, markOf, tables: only ?? null });
  const left = new Set(untold.keys());
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
    // Where the next one is about to be taken it is not missing, and of a table that was not looked at that is told.
    if (!hasOne && !isRenewal && seen !== undefined)
      options.faults.add(
        'baseline-missing',
        `${shared.table} has no baseline: of rows without events, and of columns that no event tells of, an edit is not seen.`,
      );
    // Of a table with a column for the tenant each tenant has its own rows, marks and events; TRUNCATE is told in the log of whoever applied the map.
    if (seen === undefined) continue;
    const told = new Map(untold.get(shared.table));
    left.delete(shared.table);
    await checkTable(client, { capture: { ...seen, tenant }, owner: shared.tenant, told }, ground);
    tellUntold(shared.table, told, ground);
  }
  for (const table of left) tellUntold(table, new Map(untold.get(table)), ground);
  return { haveBaselines: haveAll, differences: differences.told() };
}

/** Rows that an erasure found other than the log had them, and that are not there any more, or whose table was not looked at. */
function tellUntold(table: string, told: Table['told'], { faults }: Ground): void {
  for (const { index, what } of told.values())
    faults.add('row-unexplained', `${table}: a row that is not there any more ${toldAs(what, index)}`, index);
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

type Owned = { readonly capture: Capture; readonly owner: string; readonly told: Table['told'] };

async function checkTable(client: pg.ClientBase, { capture, owner, told }: Owned, ground: Ground): Promise<void> {
  const emptied = await lastTruncate(client, capture, owner);
  const back = await plaintextBack(client, capture, owner);
  const known = ground.baselines.get(capture.table);
  const [numbers = new Map<string, number>()] = await readColumnNumbers(client, [capture]);
  const baseline = await openBaseline(client, { capture, known, emptied, back, numbers, trees: ground.trees }, ground);
  if (capture.key.length === 0) {
    // It has no history of a row either.
    const waiting = ground.pending.get(capture.table)?.get('') ?? [];
    if (baseline !== undefined) await checkUnkeyed(client, { capture, baseline, owner, emptied, waiting }, ground);
    return;
  }
  const waiting = new Map(ground.pending.get(capture.table));
  const marked = await readMarked(client, capture, ground);
  if (baseline !== undefined) explainMarked(baseline, marked);
  const moved = new Map<string, Move>();
  const table: Table = { capture, emptied, back, marked, told, moved, unexplained: [], baseline, numbers: undefined, ground };
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
      await skipTo(live, { record, waiting }, table);
      const row = (await live.peek())?.record === record ? await live.take() : undefined;
      const logged = own.map((event) => sinceBack(table, saidBy(event, opened.get(event.id), capture)));
      const said = [...takePending(waiting, record), ...logged];
      noteMoves(table, record, said);
      ground.onRow?.();
      compare(table, { record, row, said: newestFirst([...said, ...takeMarked(table, record)]) });
    }
  }
  await skipTo(live, { record: undefined, waiting }, table);
  for (const record of waiting.keys()) {
    const said = takePending(waiting, record);
    noteMoves(table, record, said);
    compare(table, { record, row: undefined, said });
  }
  await rows.end();
  await events.end();
  await checkMoved(client, table, ground);
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

type Waiting = Map<string, readonly Said[]>;

/** What is on its way into the log of a row; those that were asked for are taken out. */
function takePending(waiting: Waiting, record: string): readonly Said[] {
  const said = waiting.get(record) ?? [];
  waiting.delete(record);
  return said;
}

type Until = { readonly record: string | undefined; readonly waiting: Waiting };

/** Rows below `record` have no event that names them. Those written since capture began should have one, or one with their mark. */
async function skipTo(live: Peekable<LiveRow>, { record, waiting }: Until, table: Table): Promise<void> {
  const isNext = (row: LiveRow | undefined): row is LiveRow =>
    row !== undefined && (record === undefined || isBelow(row.record, record));
  for (let row = await live.peek(); isNext(row); row = await live.peek()) {
    await live.take();
    table.ground.onRow?.();
    const said = takePending(waiting, row.record);
    noteMoves(table, row.record, said);
    compare(table, { record: row.record, row, said: [...said, ...takeMarked(table, row.record)] });
  }
}

/** What was said of a row under the key before is held against it too. What is said of it under the key of today was compared already. */
async function checkMoved(client: pg.ClientBase, table: Table, { pending }: Pick<Ground, 'pending'>): Promise<void> {
  const all = [...table.moved].filter(([, { said }]) => table.emptied === undefined || !isAllBefore(said, table.emptied));
  for (let from = 0; from < all.length; from += BATCH) {
    const batch = all.slice(from, from + BATCH);
    const records = batch.map(([record]) => record);
    const rows = await readLiveRows(client, table.capture, records);
    const since = await eventsOf(client, table, { records, pending });
    for (const [record, move] of batch)
      compareMoved(table, { record, move, values: rows?.get(record), since: since.get(record) ?? [] });
  }
}

function isAllBefore(said: readonly Said[], { era, index }: Emptied): boolean {
  return said.every((each) => each.era < era || (each.era === era && each.index < index));
}

async function eventsOf(
  client: pg.ClientBase,
  table: Table,
  { records, pending }: { readonly records: readonly string[]; readonly pending: Ground['pending'] },
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
  for (const record of records) {
    const waiting = pending.get(capture.table)?.get(record) ?? [];
    if (waiting.length > 0) said.set(record, [...waiting, ...(said.get(record) ?? [])]);
  }
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
