import type pg from 'pg';
import type { MarkOf } from '../keys/key-file.ts';
import type { Capture } from '../model.ts';
import {
  addMark,
  baselineColumns,
  BASELINE_ENDED,
  BASELINE_TAKEN,
  digestOf,
  endedMark,
  keyOfMark,
  keyOfRow,
  addDelta,
  markedRows,
  markOfRow,
  readForgotten,
  readTaken,
  readUnexplained,
  ROWS_FORGOTTEN,
  ROWS_UNEXPLAINED,
  valuesOf,
  type MarkedRows,
  type Taken,
  type Unexplained,
} from '../rules/baseline.ts';
import { readMarks, readTold, type ToldBaseline } from '../store/baselines.ts';
import type { FaultList } from './faults.ts';
import type { RowValues } from './model.ts';
import { isBefore, saidBy, stoodAt, type Emptied, type Said } from './row-state.ts';
import type { TreeRow } from './store/log.ts';
import { walkUnkeyed, walkValues, type ColumnNumbers } from './store/rows.ts';

/** Rows and events fetched at once. */
const BATCH = 1000;
/** Keys that are tried, to tell of a missing row which it was: some seconds. */
const TRIED_AT_MOST = 2_000_000;

/** The newest baseline of a table that the log tells of, as the home's word. */
export type TakenOf = {
  readonly taken: Taken;
  /** The ids of all that the log has of the table, the oldest first; that of `taken` is the last. */
  readonly chain: readonly string[];
  /** Of the event that tells of it. */
  readonly index: number;
  /** The home has said since that it does not hold, and that the next one is taken without being held against it. */
  readonly isEnded: boolean;
  /** The event of a baseline that followed another than the one before it in the log: that one was away when it was taken, or put in since. */
  readonly brokenAt: number | undefined;
  /** Marks of rows that were gone when an erasure took their names, since the baseline was taken. */
  readonly forgotten: readonly string[];
  /** Of its parts, as erasures left them. */
  readonly digest: string;
};

/** By table, of one tenant. */
export async function readBaselines(
  client: pg.ClientBase,
  {
    tenant,
    markOf,
    tables = null,
    withInbox = false,
  }: {
    readonly tenant: string;
    readonly markOf: MarkOf;
    readonly tables?: readonly string[] | null;
    /** Also what is on its way into the log. */
    readonly withInbox?: boolean;
  },
): Promise<ReadonlyMap<string, TakenOf>> {
  const actions = [BASELINE_TAKEN, BASELINE_ENDED, ROWS_FORGOTTEN];
  const told = await readTold(client, { tenant, tables, actions, withInbox });
  const found = new Map<string, TakenOf>();
  for (const [table, events] of Map.groupBy(told, (event) => event.table)) {
    const known = newestOf(events, { tenant, table }, markOf);
    if (known !== undefined) found.set(table, known);
  }
  return found;
}

/** By table and mark of the row, what erasures have told of rows that did not hold, and nobody has answered for since. */
export type Untold = ReadonlyMap<string, ReadonlyMap<string, { readonly index: number; readonly what: Unexplained['what'] }>>;

export async function readUntold(
  client: pg.ClientBase,
  {
    tenant,
    markOf,
    tables = null,
  }: { readonly tenant: string; readonly markOf: MarkOf; readonly tables?: readonly string[] | null },
): Promise<Untold> {
  const told = await readTold(client, { tenant, tables, actions: [BASELINE_TAKEN, BASELINE_ENDED, ROWS_UNEXPLAINED] });
  const found = new Map<string, ReadonlyMap<string, { readonly index: number; readonly what: Unexplained['what'] }>>();
  for (const [table, events] of Map.groupBy(told, (event) => event.table)) {
    const of = { tenant, table };
    const taken = new Set(chainOf(events, of, markOf).map((link) => endedMark(markOf, of, link.taken.id)));
    const ended = events.find(({ action, details }) => action === BASELINE_ENDED && taken.has(String(markIn(details))));
    const seen = new Set<string>();
    const rows = events.toReversed().flatMap((event) => {
      const said = event.action === ROWS_UNEXPLAINED ? readUnexplained(markOf, of, event.details) : undefined;
      if (said === undefined || seen.has(said.id)) return [];
      seen.add(said.id);
      if (ended !== undefined && isBefore(event, ended)) return [];
      return said.rows.map((row) => [row, { index: event.index, what: said.what }] as const);
    });
    if (rows.length > 0) found.set(table, new Map(rows));
  }
  return found;
}

type OfTable = { readonly tenant: string; readonly table: string };

function newestOf(events: readonly ToldBaseline[], of: OfTable, markOf: MarkOf): TakenOf | undefined {
  const chain = chainOf(events, of, markOf);
  const newest = chain.at(-1);
  if (newest === undefined) return undefined;
  const { taken, index } = newest;
  const ends = new Set(events.flatMap((event) => (event.action === BASELINE_ENDED ? [markIn(event.details)] : [])));
  const hasEnded = (link: Link): boolean => ends.has(endedMark(markOf, of, link.taken.id));
  const isEnded = hasEnded(newest);
  // The home's word that a baseline of since then does not hold answers for what came before, too.
  const brokenAt = chain.find((link, place) => isBreak(link, chain[place - 1]) && !chain.slice(place).some(hasEnded))?.index;
  const ids = chain.map((link) => link.taken.id);
  return { taken, chain: ids, index, isEnded, brokenAt, ...forgottenSince(events, of, { markOf, taken }) };
}

type Link = { readonly taken: Taken; readonly index: number };

/** Of the oldest nothing is said here: months may have gone with those before, and an event that is missing the tree tells. */
function isBreak({ taken: { before } }: Link, previous: Link | undefined): boolean {
  return previous !== undefined && before !== previous.taken.id;
}

/**
 * The baselines of a table, the oldest first. The home's mark binds what is said, and everybody who may record events can say it again: only the
 * first time counts, and none that stands before one that was told already.
 */
function chainOf(events: readonly ToldBaseline[], of: OfTable, markOf: MarkOf): readonly Link[] {
  const chain: Link[] = [];
  const seen = new Set<string>();
  for (const { action, index, details } of events.toReversed()) {
    const taken = action === BASELINE_TAKEN ? readTaken(markOf, of, details) : undefined;
    const last = chain.at(-1)?.taken;
    if (taken === undefined || seen.has(taken.id) || (last !== undefined && isBefore(placeOf(taken), placeOf(last)))) continue;
    seen.add(taken.id);
    chain.push({ taken, index });
  }
  return chain;
}

function placeOf({ era, size }: Taken): Emptied {
  return { era, index: size };
}

/** Told again it is nothing new either: a row that was forgotten once may be there again. */
function forgottenSince(
  events: readonly ToldBaseline[],
  of: OfTable,
  { markOf, taken }: { readonly markOf: MarkOf; readonly taken: Taken },
): Pick<TakenOf, 'forgotten' | 'digest'> {
  const seen = new Set<string>();
  const forgotten: string[] = [];
  let { digest } = taken;
  for (const event of events.toReversed()) {
    const told = event.action === ROWS_FORGOTTEN ? readForgotten(markOf, of, event.details) : undefined;
    if (told === undefined || seen.has(told.id)) continue;
    seen.add(told.id);
    if (told.baseline === taken.id) digest = addDelta(digest, told.delta);
    if (!isBefore(event, placeOf(taken))) forgotten.push(...told.rows);
  }
  return { forgotten, digest };
}

function markIn(details: unknown): unknown {
  return typeof details === 'object' && details !== null && 'mark' in details ? details.mark : undefined;
}

type Ground = { readonly markOf: MarkOf; readonly faults: FaultList };

/** What a table is held against. */
export type Baseline = {
  /** Rows that stood there; none where the table was emptied since. */
  readonly rows: MarkedRows;
  /** The beginnings of marks of rows that may be gone: the log may not name them any more. */
  readonly explained: Set<string>;
  /** Events from here on are newer. */
  readonly place: Emptied;
  readonly taken: Taken;
  readonly index: number;
  /** The columns that are in it, as they were and as they are called now; undefined where one of them is gone. */
  readonly columns: readonly (readonly [then: string, now: string])[] | undefined;
};

/** What is asked once for several tables. */
export type Standing = {
  readonly numbers: ColumnNumbers;
  readonly trees: readonly TreeRow[];
};

type Opening = Standing & {
  readonly capture: Capture;
  readonly known: TakenOf | undefined;
  readonly emptied: Emptied | undefined;
  /** By column where it was given its plaintext back last. */
  readonly back: ReadonlyMap<string, Emptied>;
  /** Only the parts in which some rows are: what others hold is not asked. */
  readonly parts?: readonly Buffer[];
};

/**
 * The baseline of a table as far as it can be believed: it is in the log under the home's mark, and what stands in the database is what the
 * log has the hash of. Whatever is not so is a fault. Undefined where there is none to hold rows against.
 */
export async function openBaseline(
  client: pg.ClientBase,
  { capture, known, emptied, back, parts: some, numbers, trees }: Opening,
  { markOf, faults, isRenewal }: Ground & { readonly isRenewal: boolean },
): Promise<Baseline | undefined> {
  if (known === undefined || known.isEnded) return undefined;
  const { taken, index, brokenAt } = known;
  if (brokenAt !== undefined)
    faults.add(
      'baseline-changed',
      `${capture.table}: the baseline of event ${brokenAt} was not taken after the one that the log has before it: that one was away then, or this one was not held against it.`,
      brokenAt,
    );
  const of = `${capture.table}: the baseline of event ${index}`;
  const parts = some ?? (await readMarks(client, capture));
  if (some === undefined && digestOf(markOf, { ...capture, baseline: taken.id }, parts) !== known.digest) {
    if (parts.length === 0) faults.add('baseline-missing', `${of} is not there any more.`, index);
    else faults.add('baseline-changed', `${of} is not what stands in safekeep.audit_baseline_marks.`, index);
    return undefined;
  }
  const place = placeOf(taken);
  if (isCutOff(trees, place)) {
    faults.add('baseline-outdated', `${of} is older than events that were dropped since: between the two nothing is known.`, index);
    return undefined;
  }
  const { columns, sealed, reason } = columnsNow(capture, { taken, back, numbers });
  if (reason !== undefined)
    faults.add('baseline-outdated', `${of}: the values of its rows cannot be compared any more: ${reason}.`, index);
  else if (sealed !== undefined)
    faults.note(
      `${of} was taken before its column ${sealed} was encrypted or given its plaintext back: of rows without events it is seen whether they are there, not what they hold. \`safekeep apply\` orders the next one.`,
    );
  const lacking = columns === undefined || isRenewal ? undefined : lackingColumn(capture, columns, { taken, back });
  if (lacking !== undefined)
    faults.add('baseline-outdated', `${of} does not have the column ${lacking}, which is captured.`, index);
  const isEmptied = emptied !== undefined && !isBefore(emptied, place);
  return {
    rows: markedRows(isEmptied ? [] : parts),
    explained: new Set(known.forgotten.map((mark) => keyOfMark(mark).toString('hex'))),
    taken,
    index,
    place: isEmptied ? emptied : place,
    columns,
  };
}

/** Whatever became of rows of erased people since is held against what the erasure said of them, and not here. */
export function explainMarked({ explained, place }: Baseline, marked: ReadonlyMap<string, readonly Said[]>): void {
  for (const [mark, said] of marked)
    if (said.some((each) => !isBefore(each, place))) explained.add(keyOfMark(mark).toString('hex'));
}

/** Whether an event after this place was dropped by policy. */
function isCutOff(trees: readonly TreeRow[], place: Emptied): boolean {
  return trees.some(({ era, minimumIndex }) => minimumIndex > 0 && isBefore(place, { era, index: minimumIndex }));
}

type Columns = {
  /** Undefined where not all of them can be compared. */
  readonly columns: Baseline['columns'];
  /** One that was encrypted or given its plaintext back since, which the log has no values of. */
  readonly sealed?: string;
  /** What else is in the way. */
  readonly reason?: string;
};

function columnsNow(
  capture: Capture,
  { taken, back, numbers }: Pick<Opening, 'back' | 'numbers'> & { readonly taken: Taken },
): Columns {
  const captured = new Map(capture.columns.map((column) => [column.name, column]));
  const columns: [string, string][] = [];
  let sealed: string | undefined;
  for (const { name, number, form } of taken.columns) {
    const now = numbers.has(name) ? name : [...numbers].find(([, each]) => each === number)?.[0];
    if (now === undefined) return { columns: undefined, reason: `its column ${name} is gone` };
    const column = captured.get(now);
    if (column === undefined) return { columns: undefined, reason: `its column ${name} is not captured any more` };
    if (column.form !== form) return { columns: undefined, reason: `its column ${name} has another type` };
    if (column.sealedIn !== undefined || isBackSince(back.get(now), taken)) sealed = now;
    columns.push([name, now]);
  }
  return sealed === undefined ? { columns } : { columns: undefined, sealed };
}

/** Whoever can make a baseline without a column hides what is in it. The next one has all that the capture has. */
function lackingColumn(
  capture: Capture,
  columns: NonNullable<Baseline['columns']>,
  { taken, back }: { readonly taken: Taken; readonly back: Opening['back'] },
): string | undefined {
  const known = new Set(columns.map(([, now]) => now));
  // One that was encrypted when the baseline was taken is in the next.
  return baselineColumns(capture.columns).find(({ name }) => !known.has(name) && !isBackSince(back.get(name), taken))?.name;
}

function isBackSince(returned: Emptied | undefined, taken: Taken): boolean {
  return returned !== undefined && !isBefore(returned, placeOf(taken));
}

export type Held =
  | undefined
  /** `arrival`: it was not there, and may have come from another key. */
  | { readonly detail: string; readonly isArrival: boolean };

type Row = {
  readonly record: string;
  readonly values: Readonly<Record<string, unknown>> | undefined;
  /** The newest first. */
  readonly said: readonly Said[];
};

/** Holds a row against the baseline: what it was like then follows from how it stands now and what the log tells of it since. */
export function holdRow({ capture, baseline }: Table, { record, values, said }: Row, markOf: MarkOf): Held {
  const { rows, place, columns, index } = baseline;
  const key = keyOfRow(markOf, capture, record);
  const stood = stoodAt(said, values, place);
  const known =
    stood.state === 'there' && stood.values !== undefined && columns !== undefined ? valuesOf(stood.values, columns) : undefined;
  const found = rows.meet(key, known && markOfRow(markOf, capture, { record, values: known }));
  const then = `when the baseline of event ${index} was taken`;
  const row = `${capture.table}: the row ${record}`;
  if (stood.state === 'unknown') return undefined;
  if (stood.state === 'absent')
    return found === 'absent'
      ? undefined
      : { detail: `${row} was there ${then}, and the log has it as inserted later and not as deleted before.`, isArrival: false };
  if (found === 'same') return undefined;
  return found === 'other'
    ? { detail: `${row} had other values ${then}, and no event of the log tells of their change.`, isArrival: false }
    : { detail: `${row} was not there ${then}, and the log has no event that brought it.`, isArrival: true };
}

type Origin = Row & {
  readonly values: Readonly<Record<string, unknown>>;
  /** The key that it had then. */
  readonly from: string;
};

/** The same of a row that has another key since; whether there was one under that key is held when that is looked at. */
export function holdOrigin(
  { capture, baseline }: Table,
  { record, from, values, said }: Origin,
  markOf: MarkOf,
): string | undefined {
  const { rows, place, columns, index } = baseline;
  const stood = stoodAt(said, values, place);
  if (columns === undefined || stood.state !== 'there' || stood.values === undefined) return undefined;
  const known = valuesOf(stood.values, columns);
  if (known === undefined) return undefined;
  const found = rows.seek(keyOfRow(markOf, capture, from), markOfRow(markOf, capture, { record: from, values: known }));
  return found === 'other'
    ? `${capture.table}: the row ${record} had other values when the baseline of event ${index} was taken and its key was ${from}, and no event of the log tells of their change.`
    : undefined;
}

export type Table = { readonly capture: Capture; readonly baseline: Baseline };

/** The beginnings of marks of rows that stood there and are neither there nor in the log. */
export function missingKeys({ rows, explained }: Baseline): Set<string> {
  const missing = rows.missing().map((key) => key.toString('hex'));
  return new Set(missing.filter((key) => !explained.has(key)));
}

/** Tells of each of them. Which they were their marks do not tell: keys that are numbers are tried. */
export function missingRows({ capture, baseline }: Table, markOf: MarkOf, numbers: NumberRange): readonly string[] {
  const left = missingKeys(baseline);
  const then = `stood there when the baseline of event ${baseline.index} was taken, is not there any more, and the log has no event of it.`;
  const details: string[] = [];
  for (const record of triedKeys(capture, numbers)) {
    if (left.size === 0) break;
    if (left.delete(keyOfRow(markOf, capture, record).toString('hex'))) details.push(`${capture.table}: the row ${record} ${then}`);
  }
  for (let nameless = left.size; nameless > 0; nameless -= 1)
    details.push(`${capture.table}: a row whose key nobody can tell ${then} A backup from then has it.`);
  return details;
}

/** The lowest and highest key that was met, where keys are whole numbers. */
export type NumberRange = { readonly lowest: bigint; readonly highest: bigint } | undefined;

export function widened(range: NumberRange, record: string): NumberRange {
  if (!/^-?\d{1,18}$/.test(record)) return range;
  const number = BigInt(record);
  if (range === undefined) return { lowest: number, highest: number };
  return { lowest: number < range.lowest ? number : range.lowest, highest: number > range.highest ? number : range.highest };
}

function* triedKeys({ key }: Capture, range: NumberRange): Generator<string> {
  const [column, ...more] = key;
  if (column === undefined || more.length > 0 || !/^(smallint|integer|bigint)$/.test(column.type)) return;
  const { lowest, highest } = range ?? { lowest: 0n, highest: 0n };
  for (let tried = 0n; tried < BigInt(TRIED_AT_MOST); tried += 1n) yield String((lowest > 0n ? 0n : lowest) + tried);
  // The newest rows, of a table that has counted far.
  for (let tried = 0n; tried < BigInt(TRIED_AT_MOST); tried += 1n) yield String(highest + BigInt(TRIED_AT_MOST) / 4n - tried);
}

type Unkeyed = Table & {
  readonly owner: string;
  readonly emptied: Emptied | undefined;
  /** What is on its way into the log, the newest first. */
  readonly waiting: readonly Said[];
};
type UnkeyedGround = Ground & {
  readonly valuesOf: RowValues;
  readonly signal: AbortSignal;
  readonly isRenewal: boolean;
  readonly onDifferent?: (parts: readonly unknown[]) => void;
};

type Sum = { readonly sum: bigint; readonly count: number; readonly isWhole: boolean };

/** The sum of the rows of a table without a key as it was before these changes, the newest first. */
export function undone(
  now: Pick<Sum, 'sum' | 'count'> & Partial<Sum>,
  changes: Iterable<Said>,
  { capture, columns, markOf }: { readonly capture: Capture; readonly columns: Baseline['columns']; readonly markOf: MarkOf },
): Sum {
  let { sum, count, isWhole = columns !== undefined } = now;
  const turn = (values: Readonly<Record<string, unknown>>, sign: 1n | -1n): void => {
    const known = columns === undefined ? undefined : valuesOf(values, columns);
    if (known === undefined) isWhole = false;
    else sum = addMark(sum, markOfRow(markOf, capture, { record: null, values: known }), sign);
  };
  for (const { action, isWhole: isAll, old, values } of changes) {
    if (!isAll) isWhole = false;
    if (action === 'insert') count -= 1;
    if (action === 'delete') count += 1;
    if (!isWhole || !['insert', 'update', 'delete'].includes(action)) continue;
    if (action !== 'delete') turn({ ...old, ...values }, -1n);
    if (action !== 'insert') turn(old, 1n);
  }
  return { sum, count, isWhole };
}

/** Of a table without a key nobody can say which row it is: that the rows are those of then and what the log brought and took since. */
export async function checkUnkeyed(
  client: pg.ClientBase,
  { capture, baseline, owner, emptied, waiting }: Unkeyed,
  ground: UnkeyedGround,
): Promise<void> {
  const { taken, columns, place, index } = baseline;
  const isEmptied = emptied !== undefined && place === emptied;
  const now = await sumOfRows(client, { capture, owner, columns }, ground);
  const by = { capture, columns, markOf: ground.markOf };
  let before = undone(now, waiting, by);
  const events = await walkUnkeyed(client, capture, place);
  for (let batch = await events.next(BATCH); batch.length > 0; batch = await events.next(BATCH)) {
    ground.signal.throwIfAborted();
    const opened = await ground.valuesOf(client, batch);
    before = undone(
      before,
      batch.map((event) => saidBy(event, opened.get(event.id), capture)),
      by,
    );
  }
  await events.end();
  const { sum, count, isWhole } = before;
  const [rows, total] = isEmptied ? [0, 0n] : [taken.rows, BigInt(`0x${taken.sum ?? '0'}`)];
  const then = `since the baseline of event ${index} was taken`;
  if (count !== rows || (isWhole && sum !== total)) ground.onDifferent?.([capture.table, now.sum.toString(16)]);
  if (count !== rows)
    ground.faults.add(
      'row-unexplained',
      `${capture.table} has ${now.count} row(s), and by the log it should have ${now.count + rows - count}: rows came or went unseen ${then}.`,
    );
  else if (isWhole && sum !== total)
    ground.faults.add(
      'row-unexplained',
      `${capture.table}: its rows, which have no key, are not those that the log explains: one was changed unseen ${then}.`,
    );
  else if (!isWhole && columns !== undefined) tellUncompared({ capture, baseline }, ground);
}

/**
 * An erasure takes values out of the log without which the sum cannot be made again, here for all rows, as none has a key. That is no fault; but
 * to take the next baseline over it would make right whatever was changed unseen.
 */
function tellUncompared({ capture, baseline }: Table, { faults, isRenewal }: UnkeyedGround): void {
  const detail = `${capture.table} has no key, and an erasure took values out of the log since the baseline of event ${baseline.index} was taken: its rows are counted, and a change of what they hold is not seen`;
  if (isRenewal) faults.add('baseline-outdated', `${detail}.`, baseline.index);
  else
    faults.note(
      `${detail}. The next baseline is taken once somebody answers for the rows: \`safekeep audit acknowledge --reason TEXT\`.`,
    );
}

type Rows = { readonly capture: Capture; readonly owner: string; readonly columns: Baseline['columns'] };

/** Of the rows that stand there now. */
export async function sumOfRows(
  client: pg.ClientBase,
  { capture, owner, columns }: Rows,
  { markOf, signal }: { readonly markOf: MarkOf; readonly signal: AbortSignal },
): Promise<{ readonly sum: bigint; readonly count: number }> {
  let [sum, count] = [0n, 0];
  const rows = await walkValues(client, capture, owner);
  for (let batch = await rows.next(BATCH); batch.length > 0; batch = await rows.next(BATCH)) {
    signal.throwIfAborted();
    count += batch.length;
    for (const { values } of batch) {
      const known = columns === undefined ? undefined : valuesOf(values, columns);
      if (known !== undefined) sum = addMark(sum, markOfRow(markOf, capture, { record: null, values: known }), 1n);
    }
  }
  await rows.end();
  return { sum, count };
}
