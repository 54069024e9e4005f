/** What kinds of text a value can be, from the view of the types that PostgreSQL has for them. */
export type TextFamily = 'date' | 'time' | 'timestamp' | 'timestamptz' | 'boolean' | 'number' | 'other';

// Days from 1970-01-01 to 2000-01-01, where PostgreSQL's date and timestamp begin.
const POSTGRES_EPOCH_DAYS = 10_957;
const DASH = 0x2d;
const COLON = 0x3a;
const POINT = 0x2e;

/**
 * Reads dates and times as SQLite's own functions write them (https://www.sqlite.org/lang_datefunc.html, time values) and as
 * ISO 8601 does: `YYYY-MM-DD`, `HH:MM[:SS[.fraction]]`, both joined by a space or `T`, with `Z` or `±HH:MM` behind.
 * Strict: a date that the calendar has not, a second 60, an hour 24 or a seventh digit of a fraction is no date.
 * One instance is used again and again: the fields hold the last value read.
 */
export class TemporalText {
  family: 'date' | 'time' | 'timestamp' | 'timestamptz' | undefined;
  /** Since 2000-01-01. */
  days = 0;
  microsOfDay = 0;
  /** Minutes east of UTC. */
  offsetMinutes = 0;
  #separator = 0;
  #hasSeconds = false;
  #fractionDigits = 0;
  #zone: 'none' | 'z' | 'numeric' = 'none';

  read(bytes: Uint8Array, start: number, size: number): boolean {
    this.family = undefined;
    this.days = 0;
    this.microsOfDay = 0;
    this.offsetMinutes = 0;
    this.#separator = 0;
    this.#zone = 'none';
    if (size < 5 || size > 35) return false;
    const end = start + size;
    if (bytes[start + 2] === COLON) return this.#time(bytes, start, end) === end && this.#done('time');
    if (size < 10 || !this.#date(bytes, start)) return false;
    if (size === 10) return this.#done('date');
    this.#separator = bytes[start + 10] ?? 0;
    if (this.#separator !== 0x20 && this.#separator !== 0x54) return false;
    const zoneAt = this.#time(bytes, start + 11, end);
    if (zoneAt < 0) return false;
    if (zoneAt === end) return this.#done('timestamp');
    return this.#offset(bytes, zoneAt, end) && this.#done('timestamptz');
  }

  /** The spelling in to_char's letters with fixed text in quotes; undefined for one that to_char cannot give back. */
  shape(): string | undefined {
    const { family } = this;
    if (family === 'date') return 'YYYY-MM-DD';
    const fraction = { 0: '', 3: '.MS', 6: '.US' }[this.#fractionDigits];
    if (family === undefined || fraction === undefined || this.#zone === 'numeric') return undefined;
    const time = `HH24:MI${this.#hasSeconds ? ':SS' : ''}${fraction}`;
    if (family === 'time') return time;
    return `YYYY-MM-DD${this.#separator === 0x54 ? '"T"' : ' '}${time}${this.#zone === 'z' ? '"Z"' : ''}`;
  }

  #done(family: 'date' | 'time' | 'timestamp' | 'timestamptz'): boolean {
    this.family = family;
    return true;
  }

  #date(bytes: Uint8Array, at: number): boolean {
    const year = twoDigits(bytes, at) * 100 + twoDigits(bytes, at + 2);
    const month = twoDigits(bytes, at + 5);
    const day = twoDigits(bytes, at + 8);
    if (bytes[at + 4] !== DASH || bytes[at + 7] !== DASH) return false;
    if (!(year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month))) return false;
    this.days = daysSince1970(year, month, day) - POSTGRES_EPOCH_DAYS;
    return true;
  }

  /** Where the time ends, or -1 where it is none. */
  #time(bytes: Uint8Array, at: number, end: number): number {
    const hours = twoDigits(bytes, at);
    const minutes = twoDigits(bytes, at + 3);
    if (at + 5 > end || bytes[at + 2] !== COLON || !(hours < 24 && minutes < 60)) return -1;
    this.#hasSeconds = at + 8 <= end && bytes[at + 5] === COLON;
    this.#fractionDigits = 0;
    this.microsOfDay = (hours * 60 + minutes) * 60_000_000;
    if (!this.#hasSeconds) return at + 5;
    const seconds = twoDigits(bytes, at + 6);
    if (!(seconds < 60)) return -1;
    this.microsOfDay += seconds * 1_000_000;
    if (at + 8 >= end || bytes[at + 8] !== POINT) return at + 8;
    return this.#fraction(bytes, at + 9, end);
  }

  #fraction(bytes: Uint8Array, from: number, end: number): number {
    let micros = 0;
    let at = from;
    for (; at < end && isDigit(bytes[at]); at += 1) micros = micros * 10 + ((bytes[at] ?? 0) - 0x30);
    this.#fractionDigits = at - from;
    // PostgreSQL keeps microseconds; a seventh digit would be lost.
    if (this.#fractionDigits < 1 || this.#fractionDigits > 6) return -1;
    this.microsOfDay += micros * 10 ** (6 - this.#fractionDigits);
    return at;
  }

  #offset(bytes: Uint8Array, at: number, end: number): boolean {
    const sign = bytes[at];
    if (sign === 0x5a && at + 1 === end) {
      this.#zone = 'z';
      return true;
    }
    if ((sign !== 0x2b && sign !== DASH) || at + 6 !== end || bytes[at + 3] !== COLON) return false;
    const hours = twoDigits(bytes, at + 1);
    const minutes = twoDigits(bytes, at + 4);
    if (!(hours < 16 && minutes < 60)) return false;
    this.#zone = 'numeric';
    this.offsetMinutes = (sign === DASH ? -1 : 1) * (hours * 60 + minutes);
    return true;
  }
}

/** NaN where there are no two digits, so that every comparison with it fails. */
function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at];
  const ones = bytes[at + 1];
  return isDigit(tens) && isDigit(ones) ? (tens - 0x30) * 10 + (ones - 0x30) : Number.NaN;
}

function isDigit(byte: number | undefined): byte is number {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Counts in the proleptic Gregorian calendar, years beginning in March so that the leap day is the last. */
function daysSince1970(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468;
}
