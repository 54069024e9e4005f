// Dates and instants as PostgreSQL counts them: days and microseconds from 2000-01-01, proleptic Gregorian calendar, with the
// largest and smallest number for infinity and -infinity (PostgreSQL manual 8.5; src/include/datatype/timestamp.h).

const DAY_MICROSECONDS = 86_400_000_000n;
/** 2000-01-01 in days from 1970-01-01. */
const EPOCH_DAYS = 10_957;
const DATE_INFINITY = 2_147_483_647;
const DATE_MINUS_INFINITY = -2_147_483_648;
const INSTANT_INFINITY = 9_223_372_036_854_775_807n;
const INSTANT_MINUS_INFINITY = -9_223_372_036_854_775_808n;
// What PostgreSQL holds: 4714-11-24 BC up to, but not including, 5874898-01-01 and 294277-01-01.
const DATE_FIRST = -2_451_545;
const DATE_END = 2_145_031_949;
const INSTANT_FIRST = -211_813_488_000_000_000n;
const INSTANT_END = 9_223_371_331_200_000_000n;
const DATE = /^(\d{4,7})-(\d\d)-(\d\d)( BC)?$/;
const INSTANT =
  /^(\d{4,7}-\d\d-\d\d)[ T]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,6}))?)?(Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)( BC)?$/;

/** Days from 2000-01-01 of `2026-11-29`, `0044-03-15 BC`, `infinity`; undefined for what is no date of PostgreSQL. */
export function dateToDays(text: string): number | undefined {
  if (text === 'infinity') return DATE_INFINITY;
  if (text === '-infinity') return DATE_MINUS_INFINITY;
  const [, year = '', month = '', day = '', bc] = DATE.exec(text) ?? [];
  const [y, m, d] = [Number(year), Number(month), Number(day)];
  if (year === '' || y === 0) return undefined;
  // There is no year 0: 1 BC is the astronomical year 0.
  const astronomical = bc === undefined ? y : 1 - y;
  if (m < 1 || m > 12 || d < 1 || d > daysInMonth(astronomical, m)) return undefined;
  const days = daysFromCivil(astronomical, m, d) - EPOCH_DAYS;
  return days >= DATE_FIRST && days < DATE_END ? days : undefined;
}

export function daysToDate(days: number): string {
  if (days === DATE_INFINITY) return 'infinity';
  if (days === DATE_MINUS_INFINITY) return '-infinity';
  const { date, bc } = civil(days);
  return `${date}${bc}`;
}

/** Microseconds from 2000-01-01 00:00 UTC of an instant with an offset, as PostgreSQL or ISO 8601 writes it. */
export function instantToMicroseconds(text: string): bigint | undefined {
  if (text === 'infinity') return INSTANT_INFINITY;
  if (text === '-infinity') return INSTANT_MINUS_INFINITY;
  const [, date = '', hour = '', minute = '', second = '0', fraction = '', offset = '', bc = ''] = INSTANT.exec(text) ?? [];
  const days = date === '' ? undefined : dateToDays(`${date}${bc}`);
  if (days === undefined) return undefined;
  const seconds = BigInt(hour) * 3_600n + BigInt(minute) * 60n + BigInt(second) - offsetSeconds(offset);
  const microseconds = BigInt(days) * DAY_MICROSECONDS + seconds * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
  return microseconds >= INSTANT_FIRST && microseconds < INSTANT_END ? microseconds : undefined;
}

/** As PostgreSQL prints it in UTC with ISO style: `2026-11-29 14:00:00.5+00`, `0044-03-15 12:00:00+00 BC`. */
export function microsecondsToInstant(microseconds: bigint): string {
  if (microseconds === INSTANT_INFINITY) return 'infinity';
  if (microseconds === INSTANT_MINUS_INFINITY) return '-infinity';
  const within = ((microseconds % DAY_MICROSECONDS) + DAY_MICROSECONDS) % DAY_MICROSECONDS;
  const { date, bc } = civil(Number((microseconds - within) / DAY_MICROSECONDS));
  const seconds = Number(within / 1_000_000n);
  const fraction = String(within % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '');
  const clock = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60].map((part) =>
    String(part).padStart(2, '0'),
  );
  return `${date} ${clock.join(':')}${fraction === '' ? '' : `.${fraction}`}+00${bc}`;
}

function offsetSeconds(offset: string): bigint {
  if (offset === 'Z') return 0n;
  const [hours = 0n, minutes = 0n, seconds = 0n] = (offset.slice(1).match(/\d\d/g) ?? []).map(BigInt);
  const total = hours * 3_600n + minutes * 60n + seconds;
  return offset.startsWith('-') ? -total : total;
}

function civil(days: number): { readonly date: string; readonly bc: string } {
  const { year, month, day } = civilFromDays(days + EPOCH_DAYS);
  const shown = year > 0 ? year : 1 - year;
  const date = `${String(shown).padStart(4, '0')}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
  return { date, bc: year > 0 ? '' : ' BC' };
}

function daysInMonth(year: number, month: number): number {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
}

// Years begin in March here, so that the leap day is the last; 400 years have 146,097 days.
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468;
}

function civilFromDays(days: number): { readonly year: number; readonly month: number; readonly day: number } {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}
