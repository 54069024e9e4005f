import { SafekeepError } from '@safekeep/core';
import { levels, type Level, type LogLine } from '@safekeep/log';

/** Which lines somebody wants to see. */
export type Filter = {
  readonly id?: string;
  readonly kind?: string;
  /** The mildest level. */
  readonly level?: Level;
  readonly component?: string;
  readonly since?: Date;
};

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** A date alone is the start of that day in UTC; a time needs its zone, or it would mean another hour on another machine. */
const TIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** The fields that carry an id: a line belongs to a request, a job, a run. */
const ID_FIELDS = ['request', 'job', 'run'];

export function matches(line: LogLine, { id, kind, level, component, since }: Filter): boolean {
  if (kind !== undefined && line.event !== kind) return false;
  if (component !== undefined && line.component !== component) return false;
  if (level !== undefined && levels.indexOf(line.level) < levels.indexOf(level)) return false;
  if (since !== undefined && !(Date.parse(line.time) >= since.getTime())) return false;
  return id === undefined || ID_FIELDS.some((field) => line[field] === id.toLowerCase());
}

/**
 * A point in time as somebody types it: a time with its zone, or how long ago.
 *
 * @throws `usage` when it is neither.
 */
export function parseSince(text: string, now: Date): Date {
  const [, amount, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const since =
    amount === undefined ? Date.parse(TIME.test(text) ? text : '') : now.getTime() - Number(amount) * (UNIT_MS[unit] ?? Number.NaN);
  if (!Number.isNaN(since)) return new Date(since);
  throw new SafekeepError('usage', {
    problem: `--since takes a time with its zone (2026-03-01T10:00:00Z), a date, or a duration (90s, 15m, 2h, 7d), not ${JSON.stringify(text)}.`,
  });
}
