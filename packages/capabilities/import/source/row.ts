import { writeDouble } from './words.ts';

/** SQLite's storage classes, numbered so that they can stand in a byte array. */
export const NULL = 0;
export const INTEGER = 1;
export const REAL = 2;
export const TEXT = 3;
export const BLOB = 4;
/** A text or blob too large to be held: `start` is its place in the record, its bytes come through `RowCursor.readLarge`. */
export const LARGE_TEXT = 5;
export const LARGE_BLOB = 6;

/** One value by itself, as it is stored. */
export type StoredValue =
  | { readonly kind: typeof NULL }
  | { readonly kind: typeof INTEGER | typeof REAL; readonly high: number; readonly low: number }
  | { readonly kind: typeof TEXT | typeof BLOB; readonly bytes: Uint8Array };

/**
 * One stored row, column by column, without a JavaScript object per value: a cursor fills the same instance again and again.
 *
 * Integers and reals stand as two 32-bit words in `high` and `low` (two's complement; the bits of the IEEE double). Texts and
 * blobs stand in `body` at `start`, `size` bytes long; texts are UTF-8 as far as the source holds to its own encoding.
 */
export class Row {
  readonly kind: Uint8Array;
  readonly high: Int32Array;
  readonly low: Int32Array;
  readonly start: Int32Array;
  readonly size: Int32Array;
  /** Holds the bytes of the values; another buffer after each step of the cursor. */
  body: Buffer = Buffer.alloc(0);
  /** The length of the whole record. An upper bound of what the row takes, but for numbers. */
  recordBytes = 0;
  rowidHigh = 0;
  rowidLow = 0;

  constructor(columns: number) {
    this.kind = new Uint8Array(columns);
    this.high = new Int32Array(columns);
    this.low = new Int32Array(columns);
    this.start = new Int32Array(columns);
    this.size = new Int32Array(columns);
  }

  isLarge(column: number): boolean {
    return (this.kind[column] ?? NULL) >= LARGE_TEXT;
  }

  hasLarge(): boolean {
    return this.kind.some((kind) => kind >= LARGE_TEXT);
  }

  /** The bytes of a text or blob that stands whole in `body`. */
  bytes(column: number): Buffer {
    const start = this.start[column] ?? 0;
    return this.body.subarray(start, start + (this.size[column] ?? 0));
  }

  /** Puts in a value that does not come from the record itself. */
  set(column: number, value: StoredValue): void {
    this.kind[column] = value.kind;
    if ('bytes' in value) this.appendText(column, value.kind, value.bytes);
    else if ('high' in value) {
      this.high[column] = value.high;
      this.low[column] = value.low;
    }
  }

  /** Appends bytes that do not come from the record itself. */
  appendText(column: number, kind: typeof TEXT | typeof BLOB, bytes: Uint8Array): void {
    this.kind[column] = kind;
    this.start[column] = this.body.length;
    this.size[column] = bytes.length;
    this.recordBytes += bytes.length;
    this.body = Buffer.concat([this.body, bytes]);
  }

  setInteger(column: number, high: number, low: number): void {
    this.kind[column] = INTEGER;
    this.high[column] = high;
    this.low[column] = low;
  }

  setReal(column: number, value: number): void {
    this.kind[column] = REAL;
    writeDouble(value, this.high, this.low, column);
  }
}
