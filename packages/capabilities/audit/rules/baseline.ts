import { hash } from 'node:crypto';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import Schema from 'typebox/schema';
import type { MarkOf } from '../keys/key-file.ts';
import type { CapturedColumn } from '../model.ts';

/** The action of an event that tells of a baseline, and of one by which the home says that the one before is to be followed by another. */
export const BASELINE_TAKEN = 'baseline-taken';
export const BASELINE_ENDED = 'baseline-ended';
/** The action of an event by which an erasure says which rows, of those that it may not name any more, the log had as deleted or under another key. */
export const ROWS_FORGOTTEN = 'rows-forgotten';
/** The action of an event by which an erasure tells of rows that were not as the log had them before it changed anything. */
export const ROWS_UNEXPLAINED = 'rows-unexplained';

const PART_BYTES = 8;
const ENTRY_BYTES = 2 * PART_BYTES;
/** Longer texts are marked by hash and size, as capture writes those that are too large: which of the two it wrote is all the same then. */
const TEXT_AT_MOST = 1000;
/** Of one row of the table that keeps them: a kilobyte, which stands in its page, and is all that a single row is looked up in. */
const ENTRIES_A_PART = 64;
/** Marks are sorted by so many bits. */
const SORTED_BITS = 16;
const BUCKETS = 2 ** SORTED_BITS;
/** Room for so many marks to begin with. */
const ENTRIES_AT_FIRST = 4096;
/** Before the marks of each part. */
const SALT_BYTES = 16;
const SUM_BITS = 128n;

type TableOf = { readonly tenant: string; readonly table: string };
type Values = Readonly<Record<string, unknown>>;

export const Taken = Type.Object({
  id: Type.String(),
  order: Type.String(),
  era: Type.Integer(),
  size: Type.Integer(),
  rows: Type.Integer(),
  parts: Type.Integer(),
  digest: Type.String(),
  sum: Type.Union([Type.String(), Type.Null()]),
  columns: Type.Array(Type.Object({ name: Type.String(), number: Type.Integer(), form: Type.String() })),
  before: Type.Union([Type.String(), Type.Null()]),
  mark: Type.String(),
});
/**
 * What the log tells of a baseline: taken when the log of `era` had `size` events, all of which it stands after; into how many parts the marks of
 * its rows are cut, and their digest; the columns that are in them, in their order, by name and by PostgreSQL's number. Of a table without a key
 * the sum of the marks of its rows. `before`: the id of the one before it, null of the first. One of an older Safekeep, which does not say its
 * parts, is none.
 */
export type Taken = Static<typeof Taken>;

export function takenMark(markOf: MarkOf, { tenant, table }: TableOf, taken: Omit<Taken, 'mark'>): string {
  const { id, order, era, size, rows, parts, digest, sum, columns, before } = taken;
  const named = columns.map(({ name, number, form }) => [name, number, form]);
  return markOf([BASELINE_TAKEN, tenant, table, id, order, era, size, rows, parts, digest, sum, named, before]);
}

/** What an event tells, where it is the home's word. */
export function readTaken(markOf: MarkOf, of: TableOf, details: unknown): Taken | undefined {
  return Schema.Check(Taken, details) && details.mark === takenMark(markOf, of, details) ? details : undefined;
}

/** Names the baseline that it ends: the same words end no other. */
export function endedMark(markOf: MarkOf, { tenant, table }: TableOf, id: string): string {
  return markOf([BASELINE_ENDED, tenant, table, id]);
}

export const Forgotten = Type.Object({
  id: Type.String(),
  rows: Type.Array(Type.String()),
  baseline: Type.Union([Type.String(), Type.Null()]),
  delta: Type.String(),
  mark: Type.String(),
});
/**
 * What an erasure says of rows of a table: which are gone, and by how much the digest of the baseline is another since it took from it what
 * these rows held. `id` makes each the only one of its kind, so that one that is told again is known.
 */
export type Forgotten = Static<typeof Forgotten>;

export function forgottenMark(
  markOf: MarkOf,
  { tenant, table }: TableOf,
  { id, rows, baseline, delta }: Omit<Forgotten, 'mark'>,
): string {
  return markOf([ROWS_FORGOTTEN, tenant, table, rows, id, baseline, delta]);
}

/** Rows that may be gone, where it is the home's word. */
export function readForgotten(markOf: MarkOf, of: TableOf, details: unknown): Forgotten | undefined {
  return Schema.Check(Forgotten, details) && details.mark === forgottenMark(markOf, of, details) ? details : undefined;
}

export const Unexplained = Type.Object({
  id: Type.String(),
  rows: Type.Array(Type.String()),
  what: Type.Union([Type.Literal('different'), Type.Literal('uncompared')]),
  mark: Type.String(),
});
/** Marks of the rows, and whether they were other than log and baseline have them or could not be compared with these. */
export type Unexplained = Static<typeof Unexplained>;

export function unexplainedMark(markOf: MarkOf, { tenant, table }: TableOf, { id, rows, what }: Omit<Unexplained, 'mark'>): string {
  return markOf([ROWS_UNEXPLAINED, tenant, table, id, rows, what]);
}

/** What an event tells, where it is the home's word. */
export function readUnexplained(markOf: MarkOf, of: TableOf, details: unknown): Unexplained | undefined {
  return Schema.Check(Unexplained, details) && details.mark === unexplainedMark(markOf, of, details) ? details : undefined;
}

/** Of what is encrypted the log has the ciphertext alone, which goes when it is decrypted: it is in the log and in no baseline. */
export function baselineColumns<Column extends Pick<CapturedColumn, 'sealedIn' | 'carries'>>(
  columns: readonly Column[],
): readonly Column[] {
  return columns.filter(({ sealedIn, carries }) => sealedIn === undefined && carries === undefined);
}

// ---- marks of rows ---------------------------------------------------------------------------------------------------

/** By which a row is found: the beginning of the mark by which events name a row of an erased person. */
export function keyOfRow(markOf: MarkOf, { tenant, table }: TableOf, record: string): Buffer {
  return keyOfMark(markOf([tenant, table, record]));
}

export function keyOfMark(mark: string): Buffer {
  return Buffer.from(mark, 'base64').subarray(0, PART_BYTES);
}

/** Of what a row holds, column by column; names are not in it, so that a column may be renamed. `record` is null where the table has no key. */
export function markOfRow(
  markOf: MarkOf,
  { tenant, table }: TableOf,
  { record, values }: { readonly record: string | null; readonly values: readonly unknown[] },
): Buffer {
  return Buffer.from(markOf(['row', tenant, table, record, values.map(shortened)]), 'base64');
}

/** A value as it can be compared: whether capture wrote it or its hash depends on how the database had it packed at that moment. */
export function shortened(value: unknown): unknown {
  if (typeof value === 'string' && value.length > TEXT_AT_MOST)
    return { sha256: hash('sha256', value, 'hex'), bytes: Buffer.byteLength(value, 'utf8') };
  if (typeof value !== 'object' || value === null) return value ?? null;
  // As capture writes a value that is too large for the log; the order of the names is the database's.
  const { sha256, bytes } = value as { readonly sha256?: unknown; readonly bytes?: unknown };
  return { sha256, bytes };
}

// ---- sets of rows ----------------------------------------------------------------------------------------------------

/** Gathers the marks of a table's rows: 16 bytes each. */
export function marksWriter(): { readonly add: (key: Buffer, value: Buffer) => void; readonly end: () => Buffer } {
  let bytes = Buffer.alloc(ENTRIES_AT_FIRST * ENTRY_BYTES);
  let length = 0;
  return {
    add: (key, value) => {
      if (length + ENTRY_BYTES > bytes.length) bytes = Buffer.concat([bytes, Buffer.alloc(bytes.length)]);
      key.copy(bytes, length);
      value.copy(bytes, length + PART_BYTES, 0, PART_BYTES);
      length += ENTRY_BYTES;
    },
    end: () => sorted(bytes.subarray(0, length)),
  };
}

/** By the first two bytes alone, which tells nothing of the order of the rows' keys, and is enough to find one. */
function sorted(marks: Buffer): Buffer {
  const places = startsOf(marks);
  const into = Buffer.alloc(marks.length);
  for (let at = 0; at < marks.length; at += ENTRY_BYTES) {
    const bucket = marks.readUInt16BE(at);
    const place = places[bucket] ?? 0;
    marks.copy(into, place * ENTRY_BYTES, at, at + ENTRY_BYTES);
    places[bucket] = place + 1;
  }
  return into;
}

/** Where each bucket begins; one more says where the last one ends. */
function startsOf(marks: Buffer): Uint32Array {
  const starts = new Uint32Array(BUCKETS + 1);
  for (let at = 0; at < marks.length; at += ENTRY_BYTES) {
    const next = marks.readUInt16BE(at) + 1;
    starts[next] = (starts[next] ?? 0) + 1;
  }
  for (let bucket = 1; bucket <= BUCKETS; bucket += 1) starts[bucket] = (starts[bucket] ?? 0) + (starts[bucket - 1] ?? 0);
  return starts;
}

/** Into how many parts the marks of so many rows are cut, so that one row is looked up in one of them. */
function partsFor(rows: number): number {
  const bits = rows <= ENTRIES_A_PART ? 0 : Math.ceil(Math.log2(rows / ENTRIES_A_PART));
  return 2 ** Math.min(SORTED_BITS, bits);
}

/** In which of so many parts the mark of a row is, by its beginning. */
export function partOfKey(key: Buffer, parts: number): number {
  return Math.floor((key.readUInt16BE(0) * parts) / BUCKETS);
}

/** Random bytes, as many. */
type Fresh = (count: number) => Buffer;

/** Sorted marks by their parts, each behind a salt of its own. */
export function partsOf(marks: Buffer, fresh: Fresh): readonly Buffer[] {
  const count = partsFor(marks.length / ENTRY_BYTES);
  const starts = startsOf(marks);
  const bytesUntil = (part: number): number => (starts[(part * BUCKETS) / count] ?? 0) * ENTRY_BYTES;
  return Array.from({ length: count }, (_, part) =>
    Buffer.concat([fresh(SALT_BYTES), marks.subarray(bytesUntil(part), bytesUntil(part + 1))]),
  );
}

type PartOf = TableOf & { readonly baseline: string };

/**
 * Adds what each part stands for, modulo 2^128: so an erasure can say by how much the sum is another without reading all of it. Nobody without
 * the home's key can make another part that adds up to the same, and once the salt of a part is gone nothing tells what stood in it.
 */
export function digestOf(markOf: MarkOf, of: PartOf, parts: readonly Buffer[]): string {
  const sum = parts.reduce((total, bytes, part) => addMark(total, markOfPart(markOf, of, { part, bytes }), 1n), 0n);
  return sum.toString(16);
}

type Part = { readonly part: number; readonly bytes: Buffer };

function markOfPart(markOf: MarkOf, { tenant, table, baseline }: PartOf, { part, bytes }: Part): Buffer {
  return Buffer.from(markOf(['baseline-part', tenant, table, baseline, part, hash('sha256', bytes, 'base64')]), 'base64');
}

/** By how much a digest is another when these parts take the places of those. */
export function deltaOf(
  markOf: MarkOf,
  of: PartOf,
  changes: readonly { readonly part: number; readonly before: Buffer; readonly after: Buffer }[],
): string {
  const sum = changes.reduce((total, { part, before, after }) => {
    const without = addMark(total, markOfPart(markOf, of, { part, bytes: before }), -1n);
    return addMark(without, markOfPart(markOf, of, { part, bytes: after }), 1n);
  }, 0n);
  return sum.toString(16);
}

export function addDelta(digest: string, delta: string): string {
  return BigInt.asUintN(Number(SUM_BITS), BigInt(`0x${digest}`) + BigInt(`0x${delta}`)).toString(16);
}

const NO_VALUE = Buffer.alloc(PART_BYTES);

/** The part without what these rows held, and behind another salt; undefined where none of them is in it. */
export function withoutValues(part: Buffer, keys: ReadonlySet<string>, fresh: Fresh): Buffer | undefined {
  const left = Buffer.concat([fresh(SALT_BYTES), part.subarray(SALT_BYTES)]);
  let isOther = false;
  for (let at = SALT_BYTES; at < left.length; at += ENTRY_BYTES) {
    if (!keys.has(left.toString('hex', at, at + PART_BYTES))) continue;
    NO_VALUE.copy(left, at + PART_BYTES);
    isOther = true;
  }
  return isOther ? left : undefined;
}

export type MarkedRows = {
  readonly count: number;
  /** Looks a row up and counts it as met. `other`: it stood there with other values. Without a value any will do, and where an erasure took it. */
  readonly meet: (key: Buffer, value?: Buffer) => 'same' | 'other' | 'absent';
  /** The same, of a row that was met already under another key. */
  readonly seek: (key: Buffer, value: Buffer) => 'same' | 'other' | 'absent';
  /** Of rows that were not met. */
  readonly missing: () => readonly Buffer[];
};

type Place = { readonly found: 'same' | 'other' | 'absent'; readonly place?: number };

/** Of all parts, or of those that are looked into. Two rows whose keys have one beginning are told apart by their values, as far as these are the same. */
export function markedRows(parts: readonly Buffer[]): MarkedRows {
  const marks = Buffer.concat(parts.map((part) => part.subarray(SALT_BYTES)));
  const starts = startsOf(marks);
  const count = Math.floor(marks.length / ENTRY_BYTES);
  const met = new Uint8Array(count);
  const hasKey = (place: number, key: Buffer): boolean => {
    const at = place * ENTRY_BYTES;
    return marks.compare(key, 0, PART_BYTES, at, at + PART_BYTES) === 0;
  };
  const hasValue = (place: number, value: Buffer): boolean => {
    const at = place * ENTRY_BYTES + PART_BYTES;
    const is = (other: Buffer): boolean => marks.compare(other, 0, PART_BYTES, at, at + PART_BYTES) === 0;
    return is(value) || is(NO_VALUE);
  };
  const find = (key: Buffer, { value, isMet }: { readonly value?: Buffer | undefined; readonly isMet: boolean }): Place => {
    let other: number | undefined;
    const bucket = key.readUInt16BE(0);
    for (let place = starts[bucket] ?? 0; place < (starts[bucket + 1] ?? 0); place += 1) {
      if ((!isMet && met[place] === 1) || !hasKey(place, key)) continue;
      if (value === undefined || hasValue(place, value)) return { found: 'same', place };
      other ??= place;
    }
    return other === undefined ? { found: 'absent' } : { found: 'other', place: other };
  };
  return {
    count,
    meet: (key, value) => {
      const { found, place } = find(key, { value, isMet: false });
      if (place !== undefined) met[place] = 1;
      return found;
    },
    seek: (key, value) => find(key, { value, isMet: true }).found,
    missing: () =>
      Array.from(met.keys())
        .filter((place) => met[place] === 0)
        .map((place) => marks.subarray(place * ENTRY_BYTES, place * ENTRY_BYTES + PART_BYTES)),
  };
}

/** Adds marks modulo 2^128: the same rows in any order give the same sum, and a row can be taken out of it again. */
export function addMark(sum: bigint, mark: Buffer, sign: 1n | -1n): bigint {
  return BigInt.asUintN(Number(SUM_BITS), sum + sign * BigInt(`0x${mark.toString('hex')}`));
}

/** The values of these columns, in their order; undefined where one is not known. A column that was renamed since has its newest name second. */
export function valuesOf(
  values: Values,
  columns: readonly (readonly [then: string, now: string])[],
): readonly unknown[] | undefined {
  const found: unknown[] = [];
  for (const [then, now] of columns) {
    if (Object.hasOwn(values, then)) found.push(values[then]);
    else if (Object.hasOwn(values, now)) found.push(values[now]);
    else return undefined;
  }
  return found;
}
