/** A period of the calendar: `10y`, `6mo`, `2w`, `30d`. A year is not 365 days: it is added to a date by the calendar. */
export type Duration = { readonly count: number; readonly unit: DurationUnit };

export type DurationUnit = 'y' | 'mo' | 'w' | 'd';

/** Also the pattern of the JSON Schema. `m` alone is refused: minutes or months. Four digits are more than any law asks for. */
export const DURATION = '^[1-9][0-9]{0,3}(y|mo|w|d)$';

const FORM = new RegExp(DURATION);
const SQL_UNITS: Readonly<Record<DurationUnit, string>> = { y: 'years', mo: 'months', w: 'weeks', d: 'days' };

/** `undefined` when the text is none. */
export function parseDuration(text: string): Duration | undefined {
  const unit = FORM.exec(text)?.[1];
  // The pattern admits these four and no others.
  return unit === undefined ? undefined : { count: Number.parseInt(text, 10), unit: unit as DurationUnit };
}

export function formatDuration({ count, unit }: Duration): string {
  return `${count}${unit}`;
}

/** As PostgreSQL takes an interval: `10 years`. */
export function intervalOf({ count, unit }: Duration): string {
  return `${count} ${SQL_UNITS[unit]}`;
}
