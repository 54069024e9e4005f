import type { TargetType } from '../objects/index.ts';
import { BLOB, INTEGER, NULL, REAL, type Row, TEXT } from '../source/row.ts';
import { bigintOf, doubleOf, isSafe, numberOf } from '../source/words.ts';
import type { CopyBuffer } from './copy-buffer.ts';
import { parseDecimal, quickScale, type Decimal } from './decimal.ts';
import { postgresMicros, type EpochUnit } from './epoch.ts';
import { TemporalText } from './temporal.ts';

/**
 * Appends one value as a field of binary COPY: its length in four bytes and its bytes, as the type's `recv` function reads them.
 * False, and nothing appended, where the value does not fit the type without loss. Never called for NULL or large values.
 */
export type Encoder = (row: Row, column: number, out: CopyBuffer) => boolean;

/** Upper bound of what a field takes beyond the bytes of its value in the record: length, widest number, type's own header. */
export const FIELD_OVERHEAD_BYTES = 400;
const NULL_FIELD = -1;

export function encoderFor(type: TargetType, epoch: EpochUnit | null): Encoder {
  if (epoch !== null) return encodeEpoch(epoch);
  if (type.startsWith('numeric(')) return encodeScaledNumeric(type);
  switch (type) {
    case 'bigint':
      return encodeBigint;
    case 'double precision':
      return encodeDouble;
    case 'numeric':
      return encodeNumeric;
    case 'boolean':
      return encodeBoolean;
    case 'text':
    case 'json':
      return encodeText;
    case 'bytea':
      return encodeBytes;
    case 'date':
      return encodeDate;
    case 'time':
      return encodeTime;
    case 'timestamp':
      return encodeTimestamp;
    case 'timestamptz':
      return encodeTimestamptz;
    default:
      throw new Error(`There is no encoder for ${type}`);
  }
}

/** Appends the field of a column, NULL included. */
export function encodeField(encoder: Encoder, row: Row, column: number, out: CopyBuffer): boolean {
  if (row.kind[column] === NULL) {
    out.int32(NULL_FIELD);
    return true;
  }
  return encoder(row, column, out);
}

function encodeBigint(row: Row, column: number, out: CopyBuffer): boolean {
  if (row.kind[column] === INTEGER) {
    out.int32(8);
    out.int32(row.high[column] ?? 0);
    out.int32(row.low[column] ?? 0);
    return true;
  }
  if (row.kind[column] !== TEXT) return false;
  const text = row.body.toString('latin1', row.start[column] ?? 0, (row.start[column] ?? 0) + (row.size[column] ?? 0));
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(text)) return false;
  const value = BigInt(text);
  if (value !== BigInt.asIntN(64, value)) return false;
  writeBigint(value, out);
  return true;
}

function encodeDouble(row: Row, column: number, out: CopyBuffer): boolean {
  if (row.kind[column] === REAL) {
    out.int32(8);
    out.int32(row.high[column] ?? 0);
    out.int32(row.low[column] ?? 0);
    return true;
  }
  const high = row.high[column] ?? 0;
  if (row.kind[column] !== INTEGER || !isSafe(high)) return false;
  out.int32(8);
  out.bytes.writeDoubleBE(numberOf(high, row.low[column] ?? 0), out.at);
  out.at += 8;
  return true;
}

function encodeBoolean(row: Row, column: number, out: CopyBuffer): boolean {
  const value = booleanOf(row, column);
  if (value === undefined) return false;
  out.int32(1);
  out.bytes[out.at] = value ? 1 : 0;
  out.at += 1;
  return true;
}

function booleanOf(row: Row, column: number): boolean | undefined {
  if (row.kind[column] === INTEGER) {
    const low = row.low[column] ?? 0;
    return row.high[column] === 0 && (low === 0 || low === 1) ? low === 1 : undefined;
  }
  if (row.kind[column] !== TEXT || (row.size[column] ?? 0) > 5) return undefined;
  const word = row.bytes(column).toString('latin1').toLowerCase();
  return word === 'true' ? true : word === 'false' ? false : undefined;
}

function encodeText(row: Row, column: number, out: CopyBuffer): boolean {
  const kind = row.kind[column];
  if (kind === TEXT) {
    const size = row.size[column] ?? 0;
    out.int32(size);
    out.copy(row.body, row.start[column] ?? 0, size);
    return true;
  }
  if (kind === BLOB) return false;
  const text = numberText(row, column);
  // As SQLite writes it: a real has a point, so that 5.0 and 5 stay two values.
  writeAscii(kind === REAL && /^-?\d+$/.test(text) ? `${text}.0` : text, out);
  return true;
}

function encodeBytes(row: Row, column: number, out: CopyBuffer): boolean {
  if (row.kind[column] !== BLOB) return encodeText(row, column, out);
  const size = row.size[column] ?? 0;
  out.int32(size);
  out.copy(row.body, row.start[column] ?? 0, size);
  return true;
}

/** The shortest decimal that names the number exactly: the digits of the integer; for a real the ones that read back to it. */
function numberText(row: Row, column: number): string {
  const high = row.high[column] ?? 0;
  const low = row.low[column] ?? 0;
  if (row.kind[column] === REAL) return String(doubleOf(high, low));
  return isSafe(high) ? String(numberOf(high, low)) : String(bigintOf(high, low));
}

function writeAscii(text: string, out: CopyBuffer): void {
  out.int32(text.length);
  out.at += out.bytes.write(text, out.at, 'latin1');
}

function writeBigint(value: bigint, out: CopyBuffer): void {
  out.int32(8);
  out.at = out.bytes.writeBigInt64BE(value, out.at);
}

// ---- dates and times: days and microseconds since 2000-01-01 ------------------------------------------------------------

const temporal = new TemporalText();
const MICROS_PER_DAY = 86_400_000_000;

function readTemporal(row: Row, column: number, family: TemporalText['family']): boolean {
  return (
    row.kind[column] === TEXT &&
    temporal.read(row.body, row.start[column] ?? 0, row.size[column] ?? 0) &&
    temporal.family === family
  );
}

function encodeDate(row: Row, column: number, out: CopyBuffer): boolean {
  if (!readTemporal(row, column, 'date')) return false;
  out.int32(4);
  out.int32(temporal.days);
  return true;
}

function encodeTime(row: Row, column: number, out: CopyBuffer): boolean {
  if (!readTemporal(row, column, 'time')) return false;
  writeMicros(0, temporal.microsOfDay, out);
  return true;
}

function encodeTimestamp(row: Row, column: number, out: CopyBuffer): boolean {
  if (!readTemporal(row, column, 'timestamp')) return false;
  writeMicros(temporal.days, temporal.microsOfDay, out);
  return true;
}

function encodeTimestamptz(row: Row, column: number, out: CopyBuffer): boolean {
  if (!readTemporal(row, column, 'timestamptz')) return false;
  writeMicros(temporal.days, temporal.microsOfDay - temporal.offsetMinutes * 60_000_000, out);
  return true;
}

function writeMicros(days: number, microsOfDay: number, out: CopyBuffer): void {
  const micros = days * MICROS_PER_DAY + microsOfDay;
  if (!Number.isSafeInteger(micros)) {
    writeBigint(BigInt(days) * BigInt(MICROS_PER_DAY) + BigInt(microsOfDay), out);
    return;
  }
  out.int32(8);
  out.int32(Math.floor(micros / 4_294_967_296));
  out.int32(micros % 4_294_967_296);
}

function encodeEpoch(unit: EpochUnit): Encoder {
  // timestamptz ends in 294276; the bounds of int64 in microseconds are the ones to keep off first.
  const latest = 9_223_371_331_200_000_000n;
  const earliest = -211_813_488_000_000_000n;
  return (row, column, out) => {
    if (row.kind[column] !== INTEGER) return false;
    const micros = postgresMicros(bigintOf(row.high[column] ?? 0, row.low[column] ?? 0), unit);
    if (micros < earliest || micros >= latest) return false;
    writeBigint(micros, out);
    return true;
  };
}

// ---- numeric: groups of four digits, the first one's weight, the scale to show (numeric_send) -----------------------------

const POSITIVE = 0x0000;
const NEGATIVE = 0x4000;
const POSITIVE_INFINITY = 0xd000;
const NEGATIVE_INFINITY = 0xf000;

function encodeNumeric(row: Row, column: number, out: CopyBuffer): boolean {
  return writeNumeric(row, column, out, undefined);
}

function encodeScaledNumeric(type: string): Encoder {
  const [precision = 0, scale = 0] = type.slice('numeric('.length, -1).split(',').map(Number);
  return (row, column, out) => writeNumeric(row, column, out, { precision, scale });
}

type Scaled = { readonly precision: number; readonly scale: number };

function writeNumeric(row: Row, column: number, out: CopyBuffer, scaled: Scaled | undefined): boolean {
  const kind = row.kind[column];
  if (kind === BLOB) return false;
  const high = row.high[column] ?? 0;
  const low = row.low[column] ?? 0;
  if (kind === TEXT) {
    const decimal = parseDecimal(row.bytes(column).toString('latin1'));
    return decimal !== undefined && writeDecimal(decimal, out, scaled);
  }
  const value = kind === REAL ? doubleOf(high, low) : numberOf(high, low);
  if (!Number.isFinite(value)) return writeInfinity(value, out, scaled);
  if (kind === INTEGER ? isSafe(high) : true) {
    const scale = kind === REAL ? quickScale(value) : 0;
    const coefficient = scale < 0 ? Number.NaN : Math.round(Math.abs(value) * 10 ** scale);
    // Quick way: the digits fit into a double.
    if (coefficient < 1e15) return writeCoefficient({ negative: value < 0, coefficient, scale }, out, scaled);
  }
  const decimal = parseDecimal(numberText(row, column));
  return decimal !== undefined && writeDecimal(decimal, out, scaled);
}

function writeInfinity(value: number, out: CopyBuffer, scaled: Scaled | undefined): boolean {
  // numeric(p,s) has no infinity.
  if (scaled !== undefined) return false;
  writeHeader(out, { groups: 0, weight: 0, sign: value > 0 ? POSITIVE_INFINITY : NEGATIVE_INFINITY, scale: 0 });
  return true;
}

const groups = new Uint16Array(5);

function writeCoefficient(
  number: { readonly negative: boolean; readonly coefficient: number; readonly scale: number },
  out: CopyBuffer,
  scaled: Scaled | undefined,
): boolean {
  const { negative, coefficient, scale } = number;
  if (scaled !== undefined && (scale > scaled.scale || coefficient >= 10 ** (scaled.precision - scaled.scale + scale)))
    return false;
  // Groups of four digits are counted from the point: the fraction is filled up to whole groups. At most 15 + 3 digits.
  const fractionGroups = Math.ceil(scale / 4);
  const padding = fractionGroups * 4 - scale;
  let rest = Math.floor(coefficient / 10 ** (4 - padding));
  let count = 0;
  groups[count++] = (coefficient - rest * 10 ** (4 - padding)) * 10 ** padding;
  for (; rest > 0; count += 1) {
    const next = Math.floor(rest / 10_000);
    groups[count] = rest - next * 10_000;
    rest = next;
  }
  let last = 0;
  while (last < count && groups[last] === 0) last += 1;
  const used = count - last;
  writeHeader(out, {
    groups: used,
    weight: used === 0 ? 0 : count - 1 - fractionGroups,
    sign: negative && used > 0 ? NEGATIVE : POSITIVE,
    scale: scaled?.scale ?? scale,
  });
  for (let index = count - 1; index >= last; index -= 1) out.int16(groups[index] ?? 0);
  return true;
}

// numeric holds up to 16383 digits after the point; a double's shortest decimal has at most 340.
const MAX_SCALE = 16_383;
const MAX_DIGITS = 100_000;

function writeDecimal(decimal: Decimal, out: CopyBuffer, scaled: Scaled | undefined): boolean {
  const { digits, scale } = decimal;
  if (scale > MAX_SCALE || digits.length > MAX_DIGITS) return false;
  const whole = Math.max(0, digits.length - scale);
  if (scaled !== undefined && (scale > scaled.scale || whole > scaled.precision - scaled.scale)) return false;
  const fraction = digits.slice(whole).padStart(scale, '0');
  const padded = `${digits.slice(0, whole).padStart(Math.ceil(whole / 4) * 4, '0')}${fraction.padEnd(Math.ceil(scale / 4) * 4, '0')}`;
  const values = Array.from({ length: padded.length / 4 }, (_, index) => Number(padded.slice(index * 4, index * 4 + 4)));
  const first = values.findIndex((value) => value !== 0);
  const used = first < 0 ? [] : values.slice(first, values.findLastIndex((value) => value !== 0) + 1);
  const weight = first < 0 ? 0 : Math.ceil(whole / 4) - 1 - first;
  if (out.room < used.length * 2 + FIELD_OVERHEAD_BYTES / 4) return false;
  writeHeader(out, {
    groups: used.length,
    weight,
    sign: decimal.negative && used.length > 0 ? NEGATIVE : POSITIVE,
    scale: scaled?.scale ?? scale,
  });
  for (const value of used) out.int16(value);
  return true;
}

type NumericHeader = { readonly groups: number; readonly weight: number; readonly sign: number; readonly scale: number };

function writeHeader(out: CopyBuffer, header: NumericHeader): void {
  out.int32(8 + header.groups * 2);
  out.int16(header.groups);
  out.int16(header.weight);
  out.int16(header.sign);
  out.int16(header.scale);
}
