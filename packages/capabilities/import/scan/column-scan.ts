import { isUtf8 } from 'node:buffer';
import type { ColumnFacts } from '../objects/model.ts';
import { parseDecimal, quickScale } from '../encode/decimal.ts';
import { TemporalText, type TextFamily } from '../encode/temporal.ts';
import { BLOB, INTEGER, LARGE_TEXT, NULL, REAL, type Row, TEXT } from '../source/row.ts';
import { bigintOf, doubleOf } from '../source/words.ts';

/** What the whole column holds; {@link ColumnFacts} is the part of it that the translation of objects needs. */
export type ScanFacts = ColumnFacts & {
  /** Values of each family of texts. */
  readonly families: Readonly<Record<TextFamily, number>>;
  /** Texts that begin like a JSON object or array. */
  readonly jsonLike: number;
  readonly infinities: number;
  /** Of the reals: the least and the largest finite one; null where there are none. */
  readonly realRange: readonly [number, number] | null;
  /** Digits before and after the point that every number of the column fits into. */
  readonly wholeDigits: number;
  readonly fractionDigits: number;
  /** Texts that PostgreSQL cannot hold as text: with NUL, or not in the source's encoding. */
  readonly unstorableTexts: number;
  readonly longestBytes: number;
};

// Above this a native check of the whole value beats the loop over its bytes.
const LONG_TEXT_BYTES = 96;
const temporal = new TemporalText();

/** Takes in the values of one column, one after the other. */
export class ColumnScan {
  #nulls = 0;
  #integers = 0;
  #reals = 0;
  #texts = 0;
  #blobs = 0;
  #minHigh = 0x7fffffff;
  #minLow = -1;
  #maxHigh = -0x80000000;
  #maxLow = 0;
  #infinities = 0;
  #realMin = Number.POSITIVE_INFINITY;
  #realMax = Number.NEGATIVE_INFINITY;
  #wholeDigits = 0;
  #fractionDigits = 0;
  readonly #families = { date: 0, time: 0, timestamp: 0, timestamptz: 0, boolean: 0, number: 0, other: 0 };
  #jsonLike = 0;
  #shape: string | null | undefined;
  #unstorable = 0;
  #longest = 0;
  readonly #measureScale: boolean;

  /** @param measureScale whether digits after the point matter: they cost, and only NUMERIC columns are decided by them. */
  constructor(measureScale: boolean) {
    this.#measureScale = measureScale;
  }

  /** False where the value is a text that PostgreSQL cannot hold. */
  take(row: Row, column: number): boolean {
    switch (row.kind[column]) {
      case NULL:
        this.#nulls += 1;
        return true;
      case INTEGER:
        this.#takeInteger(row.high[column] ?? 0, row.low[column] ?? 0);
        return true;
      case REAL:
        this.#takeReal(doubleOf(row.high[column] ?? 0, row.low[column] ?? 0));
        return true;
      case TEXT:
        return this.#takeText(row.body, row.start[column] ?? 0, row.size[column] ?? 0);
      default:
        if (row.kind[column] === BLOB) this.#longest = Math.max(this.#longest, row.size[column] ?? 0);
        this.#blobs += 1;
        return true;
    }
  }

  /** A text or blob that was read in pieces. */
  takeLarge(row: Row, column: number, storable: boolean): void {
    this.#longest = Math.max(this.#longest, row.size[column] ?? 0);
    if (row.kind[column] !== LARGE_TEXT) {
      this.#blobs += 1;
      return;
    }
    this.#texts += 1;
    this.#families.other += 1;
    this.#shape = null;
    if (!storable) this.#unstorable += 1;
  }

  facts(): ScanFacts {
    const anyInteger = this.#integers > 0;
    return {
      integers: this.#integers,
      reals: this.#reals,
      texts: this.#texts,
      blobs: this.#blobs,
      nulls: this.#nulls,
      minimum: anyInteger ? bigintOf(this.#minHigh, this.#minLow) : null,
      maximum: anyInteger ? bigintOf(this.#maxHigh, this.#maxLow) : null,
      shape: this.#shape ?? null,
      families: { ...this.#families },
      jsonLike: this.#jsonLike,
      infinities: this.#infinities,
      realRange: this.#realMin <= this.#realMax ? [this.#realMin, this.#realMax] : null,
      wholeDigits: Math.max(
        this.#wholeDigits,
        anyInteger ? integerDigits(this.#minHigh, this.#minLow, this.#maxHigh, this.#maxLow) : 0,
      ),
      fractionDigits: this.#fractionDigits,
      unstorableTexts: this.#unstorable,
      longestBytes: this.#longest,
    };
  }

  #takeInteger(high: number, low: number): void {
    this.#integers += 1;
    if (high < this.#minHigh || (high === this.#minHigh && low >>> 0 < this.#minLow >>> 0)) {
      this.#minHigh = high;
      this.#minLow = low;
    }
    if (high > this.#maxHigh || (high === this.#maxHigh && low >>> 0 > this.#maxLow >>> 0)) {
      this.#maxHigh = high;
      this.#maxLow = low;
    }
  }

  #takeReal(value: number): void {
    this.#reals += 1;
    if (!Number.isFinite(value)) {
      this.#infinities += 1;
      return;
    }
    if (value < this.#realMin) this.#realMin = value;
    if (value > this.#realMax) this.#realMax = value;
    if (!this.#measureScale) return;
    let scale = quickScale(value);
    if (scale < 0) scale = parseDecimal(String(value))?.scale ?? 0;
    if (scale > this.#fractionDigits) this.#fractionDigits = scale;
    const whole = Math.abs(value) < 1 ? 0 : Math.floor(Math.log10(Math.abs(value))) + 1;
    if (whole > this.#wholeDigits) this.#wholeDigits = whole;
  }

  #takeText(body: Buffer, start: number, size: number): boolean {
    this.#texts += 1;
    if (size > this.#longest) this.#longest = size;
    this.#classify(body, start, size);
    if (isStorable(body, start, size)) return true;
    this.#unstorable += 1;
    return false;
  }

  #classify(body: Buffer, start: number, size: number): void {
    const first = body[start] ?? 0;
    if (first >= 0x30 && first <= 0x39 && temporal.read(body, start, size)) {
      this.#families[temporal.family ?? 'other'] += 1;
      if (this.#shape !== null) this.#noteShape(temporal.shape() ?? null);
      return;
    }
    const family = size <= 5 && isBooleanWord(body, start, size) ? 'boolean' : isNumber(body, start, size) ? 'number' : 'other';
    this.#families[family] += 1;
    if (first === 0x7b || first === 0x5b) this.#jsonLike += 1;
    if (this.#shape !== null) this.#noteShape(family === 'boolean' && first >= 0x60 ? 'true/false' : null);
  }

  #noteShape(shape: string | null): void {
    if (this.#shape === undefined) this.#shape = shape;
    else if (this.#shape !== shape) this.#shape = null;
  }
}

/** Whether PostgreSQL holds the bytes as text: valid UTF-8 without NUL. */
export function isStorable(body: Buffer, start: number, size: number): boolean {
  const end = start + size;
  if (size <= LONG_TEXT_BYTES) {
    let at = start;
    while (at < end) {
      const byte = body[at] ?? 0;
      if (byte === 0 || byte >= 0x80) break;
      at += 1;
    }
    if (at === end) return true;
  }
  const bytes = body.subarray(start, end);
  return isUtf8(bytes) && !bytes.includes(0);
}

function isBooleanWord(body: Buffer, start: number, size: number): boolean {
  if (size !== 4 && size !== 5) return false;
  const word = body.toString('latin1', start, start + size).toLowerCase();
  return word === 'true' || word === 'false';
}

/** Plain decimals only, without leading zeros: a postcode or telephone number that begins with 0 is a name, not a number. */
function isNumber(body: Buffer, start: number, size: number): boolean {
  const first = body[start] ?? 0;
  if (size > 40 || !((first >= 0x30 && first <= 0x39) || first === 0x2d)) return false;
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/.test(body.toString('latin1', start, start + size));
}

function integerDigits(minHigh: number, minLow: number, maxHigh: number, maxLow: number): number {
  const digits = (value: bigint): number => (value === 0n ? 0 : String(value < 0n ? -value : value).length);
  return Math.max(digits(bigintOf(minHigh, minLow)), digits(bigintOf(maxHigh, maxLow)));
}
