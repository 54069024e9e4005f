import type { SQLOutputValue } from 'node:sqlite';
import { tags, type ColumnForm } from './digest-form.ts';
import type { ValueHash } from './hash.ts';
import { hashDecimalText } from './decimal-form.ts';

/**
 * The canonical form of a value as SQLite gives it through its own library, by the type that was decided for its column.
 * Written apart from the loading side on purpose: it shares neither its reader nor its parsers, so that a mistake there
 * shows here as a difference.
 */
export type SourceHasher = (value: SQLOutputValue, hash: ValueHash) => void;

export function sourceHasher(form: ColumnForm): SourceHasher {
  if (form.epoch !== null) {
    const { epoch } = form;
    return (value, hash) => hashBigint(tags.timestamp, epochMicros(toBigint(value), epoch), hash);
  }
  if (form.type.startsWith('numeric')) return hashNumeric;
  switch (form.type) {
    case 'bigint':
      return hashInteger;
    case 'double precision':
      return (value, hash) => hashDouble(Number(value), hash);
    case 'boolean':
      return (value, hash) =>
        hashSmall(tags.boolean, value === 1 || (typeof value === 'string' && value.toLowerCase() === 'true') ? 1 : 0, hash);
    case 'text':
    case 'json':
      return (value, hash) => hashText(tags.text, textOf(value), hash);
    case 'bytea':
      return hashBytea;
    case 'date':
      return (value, hash) => hashSmall(tags.date, Number(instant(`${textOf(value)}T00:00Z`) / 86_400_000_000n), hash);
    case 'time':
      return (value, hash) => hashBigint(tags.time, microsOfDay(textOf(value)), hash);
    case 'timestamp':
      return (value, hash) => hashTimestamp(textOf(value), 'Z', hash);
    case 'timestamptz':
      return (value, hash) => hashTimestamp(textOf(value), '', hash);
    default:
      throw new Error(`There is no canonical form for ${form.type}`);
  }
}

/** Number of doubles that JavaScript prints without a point: SQLite writes them with one. */
function textOf(value: SQLOutputValue): string {
  if (typeof value === 'string') return value;
  const text = String(value);
  return typeof value === 'number' && /^-?\d+$/.test(text) ? `${text}.0` : text;
}

const scratch = Buffer.alloc(65_536);
const scratchView = new DataView(scratch.buffer, scratch.byteOffset, scratch.length);
// A UTF-16 unit takes three bytes of UTF-8 at most.
const SCRATCH_UNITS = Math.floor(scratch.length / 3);

function hashText(tag: number, text: string, hash: ValueHash): void {
  hash.begin(tag);
  if (text.length <= SCRATCH_UNITS) {
    hash.bytes(scratchView, 0, scratch.write(text, 'utf8'));
  } else {
    const bytes = Buffer.from(text, 'utf8');
    hash.bytes(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length);
  }
  hash.end();
}

function hashBytea(value: SQLOutputValue, hash: ValueHash): void {
  if (!(value instanceof Uint8Array)) {
    hashText(tags.bytes, textOf(value), hash);
    return;
  }
  hash.begin(tags.bytes);
  hash.bytes(new DataView(value.buffer, value.byteOffset, value.length), 0, value.length);
  hash.end();
}

const TWO_POW_32 = 4_294_967_296;

function hashInteger(value: SQLOutputValue, hash: ValueHash): void {
  if (typeof value !== 'number') {
    hashBigint(tags.integer, toBigint(value), hash);
    return;
  }
  hash.begin(tags.integer);
  hash.word(Math.floor(value / TWO_POW_32) | 0);
  hash.word((value % TWO_POW_32) | 0);
  hash.end();
}

function hashBigint(tag: number, value: bigint, hash: ValueHash): void {
  hash.begin(tag);
  hash.word(Number(BigInt.asIntN(32, value >> 32n)));
  hash.word(Number(BigInt.asIntN(32, value)));
  hash.end();
}

function hashSmall(tag: number, value: number, hash: ValueHash): void {
  hash.begin(tag);
  hash.word(value);
  hash.end();
}

const doubleBytes = new DataView(new ArrayBuffer(8));

function hashDouble(value: number, hash: ValueHash): void {
  doubleBytes.setFloat64(0, value);
  hash.begin(tags.double);
  hash.word(doubleBytes.getInt32(0));
  hash.word(doubleBytes.getInt32(4));
  hash.end();
}

function hashNumeric(value: SQLOutputValue, hash: ValueHash): void {
  if (typeof value === 'number' && !Number.isFinite(value)) hashSmall(tags.infinity, value > 0 ? 1 : -1, hash);
  else hashDecimalText(String(value), hash);
}

function toBigint(value: SQLOutputValue): bigint {
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'bigint') return BigInt(value);
  throw new Error('An integer was expected');
}

// Counted from the first moment of 2000, by way of JavaScript's own calendar.
const START_OF_2000_MS = 946_684_800_000;

function instant(isoText: string): bigint {
  const milliseconds = Date.parse(isoText);
  if (Number.isNaN(milliseconds)) throw new Error('A date was expected');
  return BigInt(milliseconds - START_OF_2000_MS) * 1_000n;
}

const TIMESTAMP = /^(\d{4}-\d\d-\d\d)[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(Z|[+-]\d\d:\d\d)?$/;
// Date.parse is slow, and the days of a table are few.
const DAYS_REMEMBERED = 50_000;
const secondsOfDay = new Map<string, number>();

/** Seconds from the beginning of 2000 to the beginning of the day, in the zone. */
function startOfDay(date: string, zone: string): number {
  const name = `${date}T00:00${zone}`;
  let seconds = secondsOfDay.get(name);
  if (seconds === undefined) {
    seconds = (Date.parse(name) - START_OF_2000_MS) / 1_000;
    if (secondsOfDay.size >= DAYS_REMEMBERED) secondsOfDay.clear();
    secondsOfDay.set(name, seconds);
  }
  return seconds;
}

function hashTimestamp(text: string, zoneIfNone: string, hash: ValueHash): void {
  const [matched, date = '', hours = '', minutes = '', seconds = '00', fraction = '', zone = zoneIfNone] =
    TIMESTAMP.exec(text) ?? [];
  if (matched === undefined) throw new Error('A timestamp was expected');
  const wholeSeconds = startOfDay(date, zone) + (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  const micros = wholeSeconds * 1_000_000 + Number(fraction.padEnd(6, '0'));
  if (!Number.isSafeInteger(micros)) {
    hashBigint(tags.timestamp, BigInt(wholeSeconds) * 1_000_000n + BigInt(fraction.padEnd(6, '0')), hash);
    return;
  }
  hash.begin(tags.timestamp);
  hash.word(Math.floor(micros / TWO_POW_32) | 0);
  hash.word((micros % TWO_POW_32) | 0);
  hash.end();
}

function microsOfDay(text: string): bigint {
  const [hours = '0', minutes = '0', seconds = '0'] = text.split(':');
  const [whole = '0', fraction = ''] = seconds.split('.');
  return BigInt((Number(hours) * 60 + Number(minutes)) * 60 + Number(whole)) * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
}

/** Microseconds since 2000 by the definition of each unit. */
function epochMicros(value: bigint, unit: NonNullable<ColumnForm['epoch']>): bigint {
  const sinceUnixMicros = {
    'unix-s': () => value * 1_000_000n,
    'unix-ms': () => value * 1_000n,
    'unix-us': () => value,
    'webkit-us': () => value - BigInt(Date.UTC(1970, 0, 1) - Date.UTC(1601, 0, 1)) * 1_000n,
    'cocoa-s': () => value * 1_000_000n + BigInt(Date.UTC(2001, 0, 1)) * 1_000n,
  }[unit]();
  return sinceUnixMicros - BigInt(START_OF_2000_MS) * 1_000n;
}
