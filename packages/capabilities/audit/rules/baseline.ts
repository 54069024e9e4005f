import { createHash, hash } from 'node:crypto';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import type { MarkOf } from '../keys/key-file.ts';
import type { CapturedColumn } from '../model.ts';

/** The action of an event that tells of a baseline, and of one by which the home says that the one before is to be followed by another. */
export const BASELINE_TAKEN = 'baseline-taken';
export const BASELINE_ENDED = 'baseline-ended';
/** The action of an event by which an erasure says which rows, of those that it may not name any more, the log had as deleted or under another key. */
export const ROWS_FORGOTTEN = 'rows-forgotten';

const PART_BYTES = 8;
const ENTRY_BYTES = 2 * PART_BYTES;
/** Longer texts are marked by hash and size, as capture writes those that are too large: which of the two it wrote is all the same then. */
const TEXT_AT_MOST = 1000;
/** Of one row of the table that keeps them: a megabyte. */
const ENTRIES_A_PART = 65_536;
const BUCKETS = 65_536;
const SUM_BITS = 128n;

type TableOf = { readonly tenant: string; readonly table: string };
type Values = Readonly<Record<string, unknown>>;

export const Taken = Type.Object({
  id: Type.String(),
  order: Type.String(),
  era: Type.Integer(),
  size: Type.Integer(),
  rows: Type.Integer(),
  digest: Type.String(),
  sum: Type.Union([Type.String(), Type.Null()]),
  columns: Type.Array(Type.Object({ name: Type.String(), number: Type.Integer(), form: Type.String() })),
  before: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  mark: Type.String(),
});
/**
 * What the log tells of a baseline: taken when the log of `era` had `size` events, all of which it stands after; the hash of the marks of its
 * rows; the columns that are in them, in their order, by name and by PostgreSQL's number. Of a table without a key the sum of the marks of its rows.
 * `before`: the id of the one before it, null of the first; those of an older Safekeep do not say it under their mark.
 */
export type Taken = Static<typeof Taken>;

export function takenMark(markOf: MarkOf, { tenant, table }: TableOf, taken: Omit<Taken, 'mark'>): string {
  const { id, order, era, size, rows, digest, sum, columns, before } = taken;
  return markOf([
    BASELINE_TAKEN,
    tenant,
    table,
    id,
    order,
    era,
    size,
    rows,
    digest,
    sum,
    columns.map(({ name, number, form }) => [name, number, form]),
    ...(before === undefined ? [] : [before]),
  ]);
}

/** What an event tells, where it is the home's word. */
export function readTaken(markOf: MarkOf, of: TableOf, details: unknown): Taken | undefined {
  if (!Value.Check(Taken, details)) return undefined;
  if (details.mark === takenMark(markOf, of, details)) return details;
  const { before: _, ...unchained } = details;
  return details.mark === takenMark(markOf, of, unchained) ? unchained : undefined;
}

/** Names the baseline that it ends: the same words end no other. */
export function endedMark(markOf: MarkOf, { tenant, table }: TableOf, id: string): string {
  return markOf([BASELINE_ENDED, tenant, table, id]);
}

export const Forgotten = Type.Object({ id: Type.Optional(Type.String()), rows: Type.Array(Type.String()), mark: Type.String() });
/** `id` makes each the only one of its kind, so that one that is told again is known; those of an older Safekeep have none. */
export type Forgotten = Static<typeof Forgotten>;

export function forgottenMark(markOf: MarkOf, { tenant, table }: TableOf, { id, rows }: Omit<Forgotten, 'mark'>): string {
  return markOf([ROWS_FORGOTTEN, tenant, table, rows, ...(id === undefined ? [] : [id])]);
}

/** Rows that may be gone, where it is the home's word. */
export function readForgotten(markOf: MarkOf, of: TableOf, details: unknown): Forgotten | undefined {
  return Value.Check(Forgotten, details) && details.mark === forgottenMark(markOf, of, details) ? details : undefined;
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
  let bytes = Buffer.alloc(ENTRIES_A_PART);
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

export function partsOf(marks: Buffer): readonly Buffer[] {
  const size = ENTRIES_A_PART * ENTRY_BYTES;
  return Array.from({ length: Math.ceil(marks.length / size) }, (_, part) => marks.subarray(part * size, (part + 1) * size));
}

export function digestOf(parts: readonly Buffer[]): string {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part);
  return digest.digest('hex');
}

export type MarkedRows = {
  readonly count: number;
  /** Looks a row up and counts it as met. `other`: it stood there with other values. Without a value any will do. */
  readonly meet: (key: Buffer, value?: Buffer) => 'same' | 'other' | 'absent';
  /** Of rows that were not met. */
  readonly missing: () => readonly Buffer[];
};

/** Two rows whose keys have one beginning are told apart by their values, as far as these are the same. */
export function markedRows(parts: readonly Buffer[]): MarkedRows {
  const marks = Buffer.concat(parts);
  const starts = startsOf(marks);
  const count = Math.floor(marks.length / ENTRY_BYTES);
  const met = new Uint8Array(count);
  const hasKey = (place: number, key: Buffer): boolean => {
    const at = place * ENTRY_BYTES;
    return met[place] === 0 && marks.compare(key, 0, PART_BYTES, at, at + PART_BYTES) === 0;
  };
  const hasValue = (place: number, value: Buffer): boolean => {
    const at = place * ENTRY_BYTES + PART_BYTES;
    return marks.compare(value, 0, PART_BYTES, at, at + PART_BYTES) === 0;
  };
  return {
    count,
    meet: (key, value) => {
      let other: number | undefined;
      const bucket = key.readUInt16BE(0);
      for (let place = starts[bucket] ?? 0; place < (starts[bucket + 1] ?? 0); place += 1) {
        if (!hasKey(place, key)) continue;
        if (value === undefined || hasValue(place, value)) {
          met[place] = 1;
          return 'same';
        }
        other ??= place;
      }
      if (other === undefined) return 'absent';
      met[other] = 1;
      return 'other';
    },
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
