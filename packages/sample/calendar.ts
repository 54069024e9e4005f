/** The day the sample practice was written: nothing here depends on when it is generated. A Wednesday. */
export const TODAY = '2026-09-30';

/** Whole days since 1970-01-01. */
export type Day = number;

/** Minutes since 1970-01-01 00:00 on the practice's wall clock (Portland, Oregon). */
export type Minute = number;

export const MINUTES_OF_DAY = 1440;
const MS_OF_DAY = 86_400_000;

/** The day of `2024-05-17`. */
export function dayOf(date: string): Day {
  return Date.parse(`${date}T00:00:00Z`) / MS_OF_DAY;
}

/** The first day of the practice, and the last for which it holds bookings. */
export const OPENED: Day = dayOf('2014-03-03');
export const TODAY_DAY: Day = dayOf(TODAY);
export const BOOKED_UNTIL: Day = TODAY_DAY + 60;

/** Monday to Friday from `first` to `last`. */
export function workingDays(first: Day, last: Day): Day[] {
  const days: Day[] = [];
  for (let day = first; day <= last; day += 1) if (weekday(day) % 6 !== 0) days.push(day);
  return days;
}

/** 0 is Sunday. */
function weekday(day: Day): number {
  return (day + 4) % 7;
}

export function yearOf(day: Day): number {
  return new Date(day * MS_OF_DAY).getUTCFullYear();
}

/** Full years between two days, as a birthday counts them. */
export function ageOn(birth: Day, day: Day): number {
  const born = isoDate(birth);
  const now = isoDate(day);
  const years = Number(now.slice(0, 4)) - Number(born.slice(0, 4));
  return now.slice(5) < born.slice(5) ? years - 1 : years;
}

/** `2024-05-17` */
export function isoDate(day: Day): string {
  return new Date(day * MS_OF_DAY).toISOString().slice(0, 10);
}

/** `05/17/2024`, as people write it here. */
export function usDate(day: Day): string {
  const iso = isoDate(day);
  return `${iso.slice(5, 7)}/${iso.slice(8)}/${iso.slice(0, 4)}`;
}

/** `2024-05-17 09:30:14`: wall clock, no zone. */
export function wallTime(at: Minute): string {
  return wallIso(at).replace('T', ' ');
}

/** `2024-05-17T09:30:14-07:00`: wall clock with its offset. */
export function offsetTime(at: Minute): string {
  return `${wallIso(at)}-0${hoursBehindUtc(at)}:00`;
}

/** `2024-05-17T16:30:14.000Z` */
export function utcTime(at: Minute): string {
  return new Date(epochSeconds(at) * 1000).toISOString();
}

/** Seconds since 1970-01-01 00:00 UTC. */
export function epochSeconds(at: Minute): number {
  return (at + hoursBehindUtc(at) * 60) * 60 + secondOf(at);
}

/** Julian day number of midnight, as SQLite's julianday() gives it. */
export function julianDay(day: Day): number {
  return day + 2_440_587.5;
}

function wallIso(at: Minute): string {
  return new Date((at * 60 + secondOf(at)) * 1000).toISOString().slice(0, 19);
}

/** Clicks do not fall on full minutes; slots of the calendar do, and they are multiples of five. */
function secondOf(at: Minute): number {
  return at % 5 === 0 ? 0 : (at * 37) % 60;
}

/** Pacific time: 7 from the second Sunday of March to the first Sunday of November (15 U.S.C. 260a), else 8. */
function hoursBehindUtc(at: Minute): 7 | 8 {
  const day = Math.floor((at - 120) / MINUTES_OF_DAY);
  const year = yearOf(day);
  return day >= sundayOnOrAfter(dayOf(`${year}-03-08`)) && day < sundayOnOrAfter(dayOf(`${year}-11-01`)) ? 7 : 8;
}

function sundayOnOrAfter(day: Day): Day {
  return day + ((7 - weekday(day)) % 7);
}
