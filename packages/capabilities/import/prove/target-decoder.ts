import type { CopyOutSink } from '../store/copy-out.ts';
import { hashCoefficient, hashDigits } from './decimal-form.ts';
import { tags, type ColumnForm } from './digest-form.ts';
import type { ValueHash } from './hash.ts';

/** Receives the hashes of a row's fields; the arrays are used again for the next row. */
export type RowTaker = (first: Int32Array, second: Int32Array, nulls: Uint8Array) => void;

/**
 * Reads binary COPY as PostgreSQL's send functions write it, and hands the canonical hash of every value on. Shares nothing
 * with the encoder that wrote the table: what one of them gets wrong, the other does not repeat.
 */
export class TargetDecoder implements CopyOutSink {
  readonly #fields: readonly FieldHasher[];
  readonly #hash: ValueHash;
  readonly #onRow: RowTaker;
  readonly #first: Int32Array;
  readonly #second: Int32Array;
  readonly #nulls: Uint8Array;
  #expected = 0;
  #assembled: Buffer = Buffer.alloc(0);
  #filled = 0;
  #large: LargeRow | undefined;
  #beforeFirstRow = true;

  constructor(fields: readonly FieldHasher[], hash: ValueHash, onRow: RowTaker) {
    this.#fields = fields;
    this.#hash = hash;
    this.#onRow = onRow;
    this.#first = new Int32Array(fields.length);
    this.#second = new Int32Array(fields.length);
    this.#nulls = new Uint8Array(fields.length);
  }

  begin(bytes: number): void {
    this.#expected = bytes;
    this.#filled = 0;
    this.#large =
      bytes > LARGE_ROW_BYTES ? new LargeRow(this.#fields, this.#hash, this.#beforeFirstRow ? FILE_HEADER_BYTES : 0) : undefined;
  }

  part(buffer: Buffer, start: number, end: number): void {
    if (this.#large !== undefined) {
      this.#large.part(buffer, start, end);
      this.#filled += end - start;
      if (this.#filled === this.#expected) this.#endLarge(this.#large);
      return;
    }
    if (this.#filled === 0 && end - start === this.#expected) {
      this.#row(buffer, start, end);
      return;
    }
    // A row across two reads of the socket is put together first.
    if (this.#assembled.length < this.#expected) this.#assembled = Buffer.allocUnsafeSlow(this.#expected * 2);
    buffer.copy(this.#assembled, this.#filled, start, end);
    this.#filled += end - start;
    if (this.#filled === this.#expected) this.#row(this.#assembled, 0, this.#expected);
  }

  #endLarge(large: LargeRow): void {
    this.#beforeFirstRow = false;
    large.result.forEach((value, column) => {
      this.#first[column] = value.first;
      this.#second[column] = value.second;
      this.#nulls[column] = value.isNull ? 1 : 0;
    });
    this.#onRow(this.#first, this.#second, this.#nulls);
  }

  #row(buffer: Buffer, start: number, end: number): void {
    const view = viewOf(buffer);
    let at = start;
    if (this.#beforeFirstRow) {
      at += FILE_HEADER_BYTES;
      this.#beforeFirstRow = false;
      // A table without rows sends the header alone, or with the trailer behind it.
      if (at >= end) return;
    }
    const fields = view.getInt16(at);
    if (fields === TRAILER) return;
    if (fields !== this.#fields.length) throw new Error(`A row of ${fields} fields where ${this.#fields.length} were asked for`);
    at += 2;
    for (let column = 0; column < fields; column += 1) {
      const length = view.getInt32(at);
      at += 4;
      this.#nulls[column] = length < 0 ? 1 : 0;
      if (length < 0) {
        hashNull(this.#hash);
      } else {
        this.#fields[column]?.(view, at, length, this.#hash);
        at += length;
      }
      this.#first[column] = this.#hash.first;
      this.#second[column] = this.#hash.second;
    }
    if (at !== end) throw new Error('A row is longer than its fields');
    this.#onRow(this.#first, this.#second, this.#nulls);
  }
}

// Signature (11 bytes), flags, length of the header's extension: https://www.postgresql.org/docs/current/sql-copy.html
const FILE_HEADER_BYTES = 19;
const TRAILER = -1;
// Above this a row is taken in field by field, its long fields piece by piece, so that it never stands in memory whole.
const LARGE_ROW_BYTES = 1_048_576;

let viewedBuffer: ArrayBufferLike | undefined;
let viewed: { readonly buffer: Buffer; readonly view: DataView } | undefined;

function viewOf(buffer: Buffer): DataView {
  if (viewed?.buffer !== buffer || viewedBuffer !== buffer.buffer) {
    viewedBuffer = buffer.buffer;
    viewed = { buffer, view: new DataView(buffer.buffer, buffer.byteOffset, buffer.length) };
  }
  return viewed.view;
}

function hashNull(hash: ValueHash): void {
  hash.begin(tags.null);
  hash.end();
}

type Taken = { readonly first: number; readonly second: number; readonly isNull: boolean };

/** One row too long to be held: a machine that is fed bytes as they come. */
class LargeRow {
  readonly result: Taken[] = [];
  readonly #fields: readonly FieldHasher[];
  readonly #hash: ValueHash;
  /** What is being put together: a length, a count or a short field. */
  #gathered: Buffer;
  #gatheredBytes = 0;
  #next: 'header' | 'count' | 'length' | 'short' | 'long' = 'count';
  #longLeft = 0;

  constructor(fields: readonly FieldHasher[], hash: ValueHash, headerBytes: number) {
    this.#fields = fields;
    this.#hash = hash;
    this.#next = headerBytes > 0 ? 'header' : 'count';
    this.#gathered = Buffer.alloc(headerBytes > 0 ? headerBytes : 2);
  }

  part(buffer: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#next === 'long') {
        const size = Math.min(end - at, this.#longLeft);
        this.#hash.bytes(viewOf(buffer), at, size);
        at += size;
        this.#longLeft -= size;
        if (this.#longLeft === 0) this.#endField(false);
        continue;
      }
      const copied = buffer.copy(
        this.#gathered,
        this.#gatheredBytes,
        at,
        Math.min(end, at + this.#gathered.length - this.#gatheredBytes),
      );
      at += copied;
      this.#gatheredBytes += copied;
      if (this.#gatheredBytes === this.#gathered.length) this.#take();
    }
  }

  #take(): void {
    const bytes = this.#gathered;
    if (this.#next === 'header') {
      this.#gather('count', 2);
    } else if (this.#next === 'count') {
      this.#gather('length', 4);
    } else if (this.#next === 'short') {
      this.#fields[this.result.length]?.(viewOf(bytes), 0, bytes.length, this.#hash);
      this.#endField(false);
    } else {
      this.#beginField(bytes.readInt32BE(0));
    }
  }

  #beginField(length: number): void {
    const hasher = this.#fields[this.result.length];
    if (hasher === undefined) throw new Error('A row has more fields than were asked for');
    const longTag = longTags.get(hasher);
    if (length < 0) {
      hashNull(this.#hash);
      this.#endField(true);
    } else if (length > LARGE_ROW_BYTES / 2 && longTag !== undefined) {
      this.#hash.begin(longTag);
      this.#longLeft = length;
      this.#next = 'long';
    } else if (length === 0) {
      hasher(viewOf(Buffer.alloc(1)), 0, 0, this.#hash);
      this.#endField(false);
    } else {
      this.#gather('short', length);
    }
  }

  #endField(isNull: boolean): void {
    if (this.#next === 'long') this.#hash.end();
    this.result.push({ first: this.#hash.first, second: this.#hash.second, isNull });
    this.#gather('length', 4);
  }

  #gather(next: 'count' | 'length' | 'short', bytes: number): void {
    this.#next = next;
    this.#gathered = Buffer.allocUnsafe(bytes);
    this.#gatheredBytes = 0;
  }
}

// ---- the types ---------------------------------------------------------------------------------------------------------

export type FieldHasher = (view: DataView, at: number, length: number, hash: ValueHash) => void;

const hashTextField: FieldHasher = (view, at, length, hash) => {
  hash.begin(tags.text);
  hash.bytes(view, at, length);
  hash.end();
};

const hashBytesField: FieldHasher = (view, at, length, hash) => {
  hash.begin(tags.bytes);
  hash.bytes(view, at, length);
  hash.end();
};

/** Fields that may be too long to be put together, and the mark their value begins with. */
const longTags: ReadonlyMap<FieldHasher, number> = new Map([
  [hashTextField, tags.text],
  [hashBytesField, tags.bytes],
]);

function eightBytes(tag: number): FieldHasher {
  return (view, at, length, hash) => {
    expectLength(length, 8);
    hash.begin(tag);
    hash.word(view.getInt32(at));
    hash.word(view.getInt32(at + 4));
    hash.end();
  };
}

export function fieldHasher(form: ColumnForm): FieldHasher {
  if (form.type.startsWith('numeric')) return hashNumericField;
  switch (form.type) {
    case 'bigint':
      return eightBytes(tags.integer);
    case 'double precision':
      return eightBytes(tags.double);
    case 'timestamp':
    case 'timestamptz':
      return eightBytes(tags.timestamp);
    case 'time':
      return eightBytes(tags.time);
    case 'boolean':
      return (view, at, length, hash) => {
        expectLength(length, 1);
        hash.begin(tags.boolean);
        hash.word(view.getUint8(at));
        hash.end();
      };
    case 'date':
      return (view, at, length, hash) => {
        expectLength(length, 4);
        hash.begin(tags.date);
        hash.word(view.getInt32(at));
        hash.end();
      };
    case 'bytea':
      return hashBytesField;
    case 'text':
    case 'json':
      return hashTextField;
    default:
      throw new Error(`There is no decoder for ${form.type}`);
  }
}

function expectLength(length: number, expected: number): void {
  if (length !== expected) throw new Error(`A field of ${length} bytes where its type has ${expected}`);
}

const SIGN_NEGATIVE = 0x4000;
const SIGN_INFINITY = 0xd000;
const SIGN_MINUS_INFINITY = 0xf000;
const SIGN_NAN = 0xc000;
// Three groups of four digits at most stand below 10^15 whatever they are.
const QUICK_GROUPS = 3;

/** Groups of four decimal digits, the first with the weight 10000^weight (numeric_send in PostgreSQL's numeric.c). */
const hashNumericField: FieldHasher = (view, at, length, hash) => {
  const groups = view.getUint16(at);
  const weight = view.getInt16(at + 2);
  const sign = view.getUint16(at + 4);
  expectLength(length, 8 + groups * 2);
  if (sign === SIGN_NAN) throw new Error('A numeric is not a number');
  if (sign === SIGN_INFINITY || sign === SIGN_MINUS_INFINITY) {
    hash.begin(tags.infinity);
    hash.word(sign === SIGN_INFINITY ? 1 : -1);
    hash.end();
    return;
  }
  const negative = sign === SIGN_NEGATIVE;
  let exponent = (weight - groups + 1) * 4;
  if (groups <= QUICK_GROUPS) {
    let coefficient = 0;
    for (let group = 0; group < groups; group += 1) coefficient = coefficient * 10_000 + view.getUint16(at + 8 + group * 2);
    while (coefficient !== 0 && coefficient % 10 === 0) {
      coefficient /= 10;
      exponent += 1;
    }
    hashCoefficient(negative, coefficient, exponent, hash);
    return;
  }
  let digits = '';
  for (let group = 0; group < groups; group += 1) digits += String(view.getUint16(at + 8 + group * 2)).padStart(4, '0');
  const stripped = digits.replace(/0+$/, '');
  hashDigits(negative, stripped.replace(/^0+/, ''), exponent + digits.length - stripped.length, hash);
};
