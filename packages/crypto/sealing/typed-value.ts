import { Buffer, isUtf8 } from 'node:buffer';
import { SafekeepError } from '@safekeep/core/values';
import { dateToDays, daysToDate, instantToMicroseconds, microsecondsToInstant } from './calendar.ts';

/**
 * A value with the type it has in PostgreSQL. Texts are what PostgreSQL prints: numeric in decimal or `NaN`, `Infinity`,
 * `-Infinity`; date and timestamptz in ISO style, the latter in UTC when it comes out; json as it was written, byte for byte.
 */
export type TypedValue =
  | { readonly type: 'text'; readonly value: string }
  | { readonly type: 'int'; readonly value: bigint }
  | { readonly type: 'numeric'; readonly value: string }
  | { readonly type: 'date'; readonly value: string }
  | { readonly type: 'timestamptz'; readonly value: string }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'json'; readonly value: string }
  | { readonly type: 'bytea'; readonly value: Uint8Array };

export type ValueType = TypedValue['type'];

/** The first byte of the plaintext. */
export const TYPE_TAGS: Readonly<Record<ValueType, number>> = {
  text: 1,
  int: 2,
  numeric: 3,
  date: 4,
  timestamptz: 5,
  bool: 6,
  json: 7,
  bytea: 8,
};

type Text = Extract<TypedValue, { readonly type: 'text' | 'json' }>;
const TEXT_FRONTS = { text: String.fromCharCode(TYPE_TAGS.text), json: String.fromCharCode(TYPE_TAGS.json) };

// No two parts can match the same digits: a value from outside must not make the match take the square of its length.
const NUMERIC = /^(-?)(\d+)(?:\.(\d+))?$/;
/** Digits before and after the point that PostgreSQL holds (manual 8.1.2). */
const WHOLE_DIGITS_AT_MOST = 131_072;
const FRACTION_DIGITS_AT_MOST = 16_383;
const INT_LIMIT = 2n ** 63n;

/** Type tag and canonical bytes. @throws `value-unfit` for what is no value of its type, never with the value. */
export function encodeTyped(value: TypedValue): Buffer {
  // A tag is a byte of ASCII: with the text behind it both are written at once.
  if (value.type === 'text' || value.type === 'json') return Buffer.from(TEXT_FRONTS[value.type] + wellFormed(value), 'utf8');
  const body = encodeBody(value);
  const bytes = Buffer.allocUnsafe(1 + body.length);
  bytes[0] = TYPE_TAGS[value.type];
  bytes.set(body, 1);
  return bytes;
}

/** PostgreSQL takes neither half of a surrogate pair nor NUL; Buffer would write U+FFFD and the value were lost. */
function wellFormed({ type, value }: Text): string {
  if (!value.isWellFormed() || value.includes('\0')) throw unfit(type);
  return value;
}

function encodeBody(typed: Exclude<TypedValue, Text>): Uint8Array {
  switch (typed.type) {
    case 'int':
      return int64(typed.value, typed.type);
    case 'numeric':
      return Buffer.from(canonicalNumeric(typed.value), 'latin1');
    case 'date':
      return int32(dateToDays(typed.value) ?? refuse(typed.type));
    case 'timestamptz':
      return int64(instantToMicroseconds(typed.value) ?? refuse(typed.type), typed.type);
    case 'bool':
      return Buffer.of(typed.value ? 1 : 0);
    case 'bytea':
      return typed.value;
  }
}

/** @throws `sealed-malformed` for bytes that no encoder made: they opened, so whoever sealed them had the key and a fault. */
export function decodeTyped(bytes: Buffer): TypedValue {
  // Most values are texts; the tag is a byte of ASCII and so is UTF-8 too.
  if (bytes[0] === TYPE_TAGS.text) return { type: 'text', value: utf8(bytes) };
  if (bytes[0] === TYPE_TAGS.json) return { type: 'json', value: utf8(bytes) };
  const body = bytes.subarray(1);
  const length = (wanted: number): void => {
    if (body.length !== wanted) throw malformed('its content has not the length of its type');
  };
  switch (bytes[0]) {
    case TYPE_TAGS.int:
      length(8);
      return { type: 'int', value: body.readBigInt64BE() };
    case TYPE_TAGS.numeric:
      return { type: 'numeric', value: body.toString('latin1') };
    case TYPE_TAGS.date:
      length(4);
      return { type: 'date', value: daysToDate(body.readInt32BE()) };
    case TYPE_TAGS.timestamptz:
      length(8);
      return { type: 'timestamptz', value: microsecondsToInstant(body.readBigInt64BE()) };
    case TYPE_TAGS.bool:
      length(1);
      return { type: 'bool', value: body[0] !== 0 };
    case TYPE_TAGS.bytea:
      return { type: 'bytea', value: Buffer.from(body) };
    default:
      throw malformed('its type is unknown');
  }
}

/** What stands behind the tag. */
function utf8(content: Buffer): string {
  if (!isUtf8(content)) throw malformed('its text is no UTF-8');
  return content.toString('utf8', 1);
}

/** As PostgreSQL prints it: no zeros in front, no sign at zero, the digits after the point kept, since 1.0 and 1.00 differ. */
function canonicalNumeric(text: string): string {
  if (text === 'NaN' || text === 'Infinity' || text === '-Infinity') return text;
  const [, sign, padded, fraction] = NUMERIC.exec(text) ?? [];
  const whole = padded?.replace(/^0+(?=\d)/, '');
  if (whole === undefined || whole.length > WHOLE_DIGITS_AT_MOST || (fraction ?? '').length > FRACTION_DIGITS_AT_MOST)
    throw unfit('numeric');
  const digits = fraction === undefined ? whole : `${whole}.${fraction}`;
  return /[1-9]/.test(digits) ? `${sign}${digits}` : digits;
}

function int64(value: bigint, type: ValueType): Buffer {
  if (value >= INT_LIMIT || value < -INT_LIMIT) throw unfit(type);
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function refuse(type: ValueType): never {
  throw unfit(type);
}

function unfit(type: ValueType): SafekeepError {
  return new SafekeepError('value-unfit', { type });
}

function malformed(reason: string): SafekeepError {
  return new SafekeepError('sealed-malformed', { reason });
}
