import { isDeepStrictEqual } from 'node:util';
import type { MarkOf } from '../keys/key-file.ts';
import type { Capture } from '../model.ts';
import { shortened, type Unexplained as Told } from '../rules/baseline.ts';
import { holdOrigin, holdRow, widened, type Baseline, type NumberRange } from './baseline.ts';
import type { FaultList } from './faults.ts';
import type { Marked } from './marked-rows.ts';
import type { RowValues } from './model.ts';
import { isBefore, stateOf, without, type Emptied, type Said } from './row-state.ts';
import type { LiveRow } from './store/rows.ts';

/** What a table's rows are held with. */
export type RowGround = {
  readonly tenant: string;
  readonly valuesOf: RowValues;
  readonly markOf: MarkOf;
  /** Called for each row that was held. */
  readonly onRow?: () => void;
  readonly signal: AbortSignal;
  readonly faults: FaultList;
  /** Called with what a row holds of which a fault tells, or may tell. */
  readonly onDifferent?: (parts: readonly unknown[]) => void;
};

export type Table = {
  readonly capture: Capture;
  readonly emptied: Emptied | undefined;
  /** By column where it was given its plaintext back last: the log has the ciphertext that stood there before, and the value nowhere. */
  readonly back: ReadonlyMap<string, Emptied>;
  /** What is said of rows that the log may not name; those that were met are taken out. */
  readonly marked: Marked;
  /** By mark, rows that an erasure found other than the log had them; those that were met are taken out. */
  readonly told: Map<string, { readonly index: number; readonly what: Told['what'] }>;
  /** By the key that a row has since: what is said of it under the key before. */
  readonly moved: Map<string, Move>;
  /** Rows that are no fault where they came from another key: without any event of their own, or none since a deletion. */
  readonly unexplained: Unexplained[];
  readonly baseline: Baseline | undefined;
  /** Of the keys that were met. */
  numbers: NumberRange;
  readonly ground: RowGround;
};

/** How a row came to a key. */
export type Move = {
  readonly from: string;
  /** What is said of it under the key before, the newest first: that it moved. */
  readonly said: readonly Said[];
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

/** A key may be taken and left again and again: the row of today came by the last of all. `said` is the newest first. */
export function noteMoves({ moved }: Pick<Table, 'moved'>, from: string, said: readonly Said[]): void {
  for (const [place, move] of said.entries()) {
    if (move.movesTo === undefined) continue;
    const known = moved.get(move.movesTo)?.said[0];
    if (known === undefined || isBefore(known, move)) moved.set(move.movesTo, { from, said: said.slice(place) });
  }
}

export function hasArrived({ moved, emptied }: Table, { record, absent }: Unexplained): boolean {
  const move = moved.get(record)?.said[0];
  if (move === undefined || (emptied !== undefined && isBefore(move, emptied))) return false;
  return absent === undefined || !isBefore(move, absent);
}

export function takeMarked(checked: Table, record: string): readonly Said[] {
  const { marked, capture, ground } = checked;
  const { tenant, table } = capture;
  if (marked.size === 0) return [];
  const mark = ground.markOf([tenant, table, record]);
  const said = marked.get(mark) ?? [];
  marked.delete(mark);
  return said.map((each) => sinceBack(checked, each));
}

/** Without what it said of columns that were given their plaintext back since. */
export function sinceBack({ back }: Pick<Table, 'back'>, said: Said): Said {
  const columns = [...back].flatMap(([column, place]) => (isBefore(said, place) ? [column] : []));
  return columns.length === 0 ? said : without(said, new Set(columns));
}

type Comparison = {
  readonly record: string;
  readonly row: Pick<LiveRow, 'values' | 'isNewer'> | undefined;
  /** The newest first. */
  readonly said: readonly Said[];
};

export function toldAs(what: Told['what'], index: number): string {
  return what === 'different'
    ? `was not as the log had it when its person was erased (event ${index}): it was changed unseen before.`
    : `could not be held against the log when its person was erased (event ${index}): whether it was changed unseen before is not known.`;
}

/** A row that is not as the log has it last is told once. */
export function compare(table: Table, compared: Comparison): void {
  noting(table, { record: compared.record, values: compared.row?.values }, () => compareAll(table, compared));
}

type Held = { readonly record: string; readonly values: LiveRow['values'] | undefined };

function noting({ unexplained, capture, ground }: Table, { record, values }: Held, look: () => void): void {
  const before = ground.faults.count() + unexplained.length;
  look();
  if (ground.faults.count() + unexplained.length === before) return;
  const held = Object.entries(values ?? {}).map(([name, value]) => [name, shortened(value)] as const);
  const sorted = held.toSorted(([one], [other]) => (one < other ? -1 : 1));
  ground.onDifferent?.([capture.table, record, values === undefined ? null : sorted]);
}

function compareAll(table: Table, compared: Comparison): void {
  const { faults } = table.ground;
  const before = faults.count();
  compareWithErasures(table, compared);
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

function compareWithErasures({ told, capture, ground }: Table, { record, row }: Comparison): void {
  if (told.size === 0 || row === undefined) return;
  const mark = ground.markOf([capture.tenant, capture.table, record]);
  const found = told.get(mark);
  if (found === undefined) return;
  told.delete(mark);
  ground.faults.add('row-unexplained', `${capture.table}: the row ${record} ${toldAs(found.what, found.index)}`, found.index);
}

type Arrived = {
  readonly record: string;
  readonly move: Move;
  readonly values: LiveRow['values'] | undefined;
  /** What is said of rows under this key, the newest first. */
  readonly since: readonly Said[];
};

/** Holds a row against what was said of it under the key before, and against what the baseline had under that key. */
export function compareMoved(table: Table, arrived: Arrived): void {
  noting(table, arrived, () => compareWithOrigin(table, arrived));
}

function compareWithOrigin(table: Table, { record, move: { from, said }, values, since }: Arrived): void {
  const [move, ...before] = said;
  if (move === undefined) return;
  // What is said of the key before is said of another row that had it.
  const own = since.filter((each) => isBefore(move, each));
  if (own.length > 0 && values === undefined) return;
  // A row that was deleted or moved on since is another one now.
  if (own.some(({ action, movesTo, mayMove }) => action !== 'update' || movesTo !== undefined || mayMove)) return;
  const { faults, markOf } = table.ground;
  const told = faults.count();
  const written = new Set(own.flatMap(({ columns }) => columns ?? []));
  const kept = [{ ...move, movesTo: undefined }, ...before].map((each) => without(each, written));
  compareWithLog(table, { record, row: values && { values }, said: kept });
  if (faults.count() > told || values === undefined || table.baseline === undefined) return;
  const origin = originOf(table, { from, said });
  if (origin === undefined) return;
  const held = { record, from: origin.from, values, said: [...own, ...origin.said] };
  const detail = holdOrigin({ capture: table.capture, baseline: table.baseline }, held, markOf);
  if (detail !== undefined) faults.add('row-unexplained', detail, move.index);
}

/** Keys that a row is followed back through. */
const MOVES_AT_MOST = 100;

/** Under which key a row stood when the baseline was taken, and all that was said of it since; undefined where that cannot be told. */
function originOf({ moved, baseline }: Table, last: Move): Move | undefined {
  const all: Said[] = [];
  let { from, said } = last;
  for (let moves = 1; moves <= MOVES_AT_MOST; moves += 1) {
    const [move] = said;
    if (move === undefined || baseline === undefined || isBefore(move, baseline.place))
      return moves === 1 ? undefined : { from, said: all };
    const before = moved.get(from);
    const arrival = before?.said[0];
    const isArrival = arrival !== undefined && isBefore(arrival, move) && !isBefore(arrival, baseline.place);
    const own = said.slice(1).filter((each) => !isBefore(each, isArrival ? arrival : baseline.place));
    // Another row had the key in between.
    if (own.some(({ action, movesTo, mayMove }) => action === 'delete' || movesTo !== undefined || mayMove)) return undefined;
    all.push({ ...move, movesTo: undefined }, ...own);
    if (!isArrival || before === undefined) return { from, said: all };
    ({ from, said } = before);
  }
  return undefined;
}
