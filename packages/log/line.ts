import { levels, type Level } from './level.ts';

/** One line of the log as it was written: what every line has, and the fields of its event. */
export type LogLine = {
  /** ISO 8601, UTC, milliseconds. */
  readonly time: string;
  readonly level: Level;
  readonly event: string;
  /** Which part of Safekeep wrote it. */
  readonly component: string;
  readonly pid: number;
  readonly [field: string]: unknown;
};

/** Where a line begins. A quote within a JSON string is escaped, so this stands nowhere inside a line. */
const BEGINNING = '{"level":"';

/**
 * Reads one line; `undefined` when it is none. A line glued to the torn end of another (its writer was killed in the middle
 * of writing) is found behind it.
 */
export function parseLine(text: string): LogLine | undefined {
  const start = text.lastIndexOf(BEGINNING);
  if (start === -1) return undefined;
  try {
    const parsed: unknown = JSON.parse(text.slice(start));
    return isLine(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function isLine(value: unknown): value is LogLine {
  if (typeof value !== 'object' || value === null) return false;
  // Read as a table of unknowns: each of the five is checked right here.
  const { time, level, event, component, pid } = value as Readonly<Record<string, unknown>>;
  if (typeof time !== 'string' || typeof event !== 'string' || typeof component !== 'string' || typeof pid !== 'number')
    return false;
  return levels.some((known) => known === level);
}
