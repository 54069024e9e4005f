import { REMAIN, type Capture, type EventRow } from '../model.ts';
import { keyAfter } from '../rules/key.ts';
import type { OpenedEvent } from '../store/event-values.ts';

/** What one event says of a row, whether the log may still name the row or only knows a mark of it. */
export type Said = {
  readonly era: number;
  readonly index: number;
  readonly action: string;
  /** What it wrote: values, and marks of values that the log may not know. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly marks: Readonly<Record<string, string>>;
  /** What stood there before, as far as it says. */
  readonly old: Readonly<Record<string, unknown>>;
  /** Nothing of what it said was left out or taken since. */
  readonly isWhole: boolean;
  /** The log may still name the row: what was said of it before is not nameless by now. */
  readonly isNamed: boolean;
  /** Columns that it wrote; null where it says nothing of them. */
  readonly columns: readonly string[] | null;
  /** Values of it were left out by an erasure, or taken out since: one must say afterwards how the row stands. */
  readonly needsRemain: boolean;
  /** The key, or its mark, that the row has from then on, where it is another: this key says nothing of the row any more. */
  readonly movesTo: string | undefined;
  /** Its key was written and an erasure took which one it is: whether the row is still there under this key is not known. */
  readonly mayMove: boolean;
};

/** Where a table was emptied last. */
export type Emptied = { readonly era: number; readonly index: number };

type Known = { readonly index: number } & ({ readonly value: unknown } | { readonly mark: string });

/** What the log says of a row now. */
export type State = {
  /** Undefined where nothing is said of it. */
  readonly exists: boolean | undefined;
  /** By column; a column that is not in it is not known. */
  readonly values: ReadonlyMap<string, Known>;
  /** The newest event whose values are gone without any word about how the row stands since. */
  readonly untold: number | undefined;
};

/** What an event whose row it names says. */
export function saidBy(event: EventRow, opened: OpenedEvent | undefined, { key }: Pick<Capture, 'key'>): Said {
  const { era, index, action, columns, record } = event;
  const { change = {}, marks = {}, rest = 'taken' } = opened ?? {};
  const isWithheld = rest === 'left-out' && isWithheldBy(event);
  const after = record === null || action !== 'update' ? record : keyAfter(record, key, change.new ?? {});
  const isUnknown = ({ name }: { readonly name: string }): boolean =>
    columns?.includes(name) === true && !Object.hasOwn(change.new ?? {}, name);
  return {
    era,
    index,
    action,
    values: change.new ?? {},
    marks,
    old: change.old ?? {},
    isWhole: rest === 'none',
    isNamed: true,
    columns,
    needsRemain: action !== 'delete' && (rest === 'taken' || rest === 'unreadable' || isWithheld),
    movesTo: after === null || after === record ? undefined : after,
    mayMove: action === 'update' && rest === 'taken' && key.some(isUnknown),
  };
}

function isWithheldBy({ details }: EventRow): boolean {
  const said: unknown = details === null ? null : JSON.parse(details);
  return typeof said === 'object' && said !== null && 'withheld' in said && said.withheld === true;
}

/** Nothing older than these says anything of the row that is there now. */
export function isBeginning({ action, needsRemain }: Pick<Said, 'action' | 'needsRemain'>): boolean {
  return action === 'delete' || (action === 'insert' && !needsRemain) || (action === REMAIN && !needsRemain);
}

/** Of the events of a row, the newest first. */
export function stateOf(events: readonly Said[], emptied: Emptied | undefined): State {
  const [newest] = events;
  if (newest === undefined) return { exists: undefined, values: new Map(), untold: undefined };
  if (emptied !== undefined && isBefore(newest, emptied)) return { exists: false, values: new Map(), untold: undefined };
  const values = new Map<string, Known>();
  const settled = new Set<string>();
  let untold: number | undefined;
  for (const event of events) {
    const { index, action, marks, columns } = event;
    if (action === 'delete' || event.movesTo !== undefined || (emptied !== undefined && isBefore(event, emptied))) break;
    if (event.needsRemain) untold ??= index;
    const known = new Map<string, Known>([
      ...Object.entries(event.values).map(([column, value]) => [column, { value, index }] as const),
      ...Object.entries(marks).map(([column, mark]) => [column, { mark, index }] as const),
    ]);
    for (const [column, value] of known) if (!settled.has(column)) values.set(column, value);
    for (const column of [...known.keys(), ...(columns ?? [])]) settled.add(column);
    // What it wrote, and where, is gone: of what was there before nothing is known either.
    if (isBeginning(event) || (event.needsRemain && columns === null)) break;
  }
  const isThere = newest.action !== 'delete' && newest.movesTo === undefined;
  return { exists: newest.mayMove ? undefined : isThere, values, untold };
}

/** How a row stood at an earlier place of the log; `values` are undefined where they cannot be told any more. */
export type Stood =
  | { readonly state: 'unknown' | 'absent' }
  | { readonly state: 'there'; readonly values: Readonly<Record<string, unknown>> | undefined };

/** Goes back from how a row stands now through what was said of it since `place`, the newest first. */
export function stoodAt(said: readonly Said[], now: Readonly<Record<string, unknown>> | undefined, place: Emptied): Stood {
  let stood: Stood = now === undefined ? { state: 'absent' } : { state: 'there', values: now };
  for (const each of said) {
    if (isBefore(each, place)) break;
    // What an erasure left says nothing of what was there before.
    if (each.needsRemain || each.action === REMAIN || !each.isNamed) return { state: 'unknown' };
    stood = before(each, stood);
  }
  return stood;
}

function before({ action, old, isWhole, movesTo }: Said, stood: Stood): Stood {
  if (action === 'insert') return { state: 'absent' };
  if (action === 'delete') return { state: 'there', values: isWhole ? old : undefined };
  // Under this key it was there until then, and what it held follows from the row under the other.
  if (movesTo !== undefined || stood.state !== 'there' || !isWhole) return { state: 'there', values: undefined };
  return { state: 'there', values: stood.values && { ...stood.values, ...old } };
}

export function newestFirst(said: readonly Said[]): readonly Said[] {
  return said.toSorted((one, other) => other.era - one.era || other.index - one.index);
}

export function isBefore(event: Emptied, { era, index }: Emptied): boolean {
  return event.era < era || (event.era === era && event.index < index);
}

/** Without what it said of these columns. */
export function without(said: Said, columns: ReadonlySet<string>): Said {
  const rest = <Value>(values: Readonly<Record<string, Value>>): Record<string, Value> =>
    Object.fromEntries(Object.entries(values).filter(([column]) => !columns.has(column)));
  return { ...said, values: rest(said.values), marks: rest(said.marks) };
}
