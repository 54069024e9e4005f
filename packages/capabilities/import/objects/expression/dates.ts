import type { Expr } from 'sqlite3-parser';
import { quoteText } from '@safekeep/postgres';
import { translate, type Setting } from './translate.ts';
import { Untranslatable, value, type Value } from './value.ts';

export const DATE_FUNCTIONS: ReadonlySet<string> = new Set(['date', 'time', 'datetime', 'julianday', 'strftime', 'unixepoch']);

/** SQLite’s clock is UTC and stands still within a statement. */
const NOW = `(statement_timestamp() AT TIME ZONE 'UTC')`;

/** The shapes of date(), time() and datetime(), in to_char letters. */
const SHAPES = { date: 'YYYY-MM-DD', time: 'HH24:MI:SS', datetime: 'YYYY-MM-DD HH24:MI:SS' } as const;

/** Unix seconds of julian day 0, in milliseconds: SQLite counts days from noon of 24 November 4714 BC. */
const JULIAN_EPOCH_MS = 210_866_760_000_000n;

export function translateDateCall(setting: Setting, name: string, args: readonly Expr[]): Value {
  // The caller folds dates of constants; what comes here depends on the clock or on columns.
  if (setting.immutable)
    throw new Untranslatable(`${name}() depends on settings in PostgreSQL, so it cannot stand in an index or a generated column`);
  const instant = instantOf(setting, name === 'strftime' ? args.slice(1) : args);
  switch (name) {
    case 'date':
    case 'time':
    case 'datetime':
      return shown(instant, SHAPES[name], 'never');
    case 'julianday':
      return value('real', `((extract(epoch from ${instant}) * 1000 + ${JULIAN_EPOCH_MS})::bigint / 86400000::double precision)`);
    case 'unixepoch':
      return value('integer', `floor(extract(epoch from ${instant}))::bigint`);
    default:
      return strftime(setting, args[0], instant);
  }
}

function shown(instant: string, shape: string, looksNumeric: Value['looksNumeric']): Value {
  const cut = shape === SHAPES.date ? 'day' : 'second';
  return value('text', `to_char(${instant}, ${quoteText(shape)})`, {
    looksNumeric,
    instant: shape.startsWith(SHAPES.date) ? `date_trunc('${cut}', ${instant})` : null,
  });
}

// ---- time values and modifiers -----------------------------------------------------------------------------------------

function instantOf(setting: Setting, [time, ...modifiers]: readonly Expr[]): string {
  const written = modifiers.map((node) => {
    if (node.type !== 'StringLiteral') throw new Untranslatable('a date is moved by a distance that is not known');
    return node.value.trim().toLowerCase();
  });
  const held = time === undefined ? null : translate(setting, time);
  const [first, ...others] = written;
  if (held !== null && held.kind === 'integer' && first === 'unixepoch')
    return move(`(to_timestamp((${held.sql})::double precision) AT TIME ZONE 'UTC')`, others);
  return move(held === null || isNow(held) ? NOW : momentOf(held), written);
}

function isNow(held: Value): boolean {
  return typeof held.literal?.value === 'string' && held.literal.value.trim().toLowerCase() === 'now';
}

function momentOf(held: Value): string {
  if (held.instant !== null) return held.instant;
  throw new Untranslatable(`${held.sql} is not known to be a date in every row`);
}

const STARTS: Readonly<Record<string, string>> = { 'start of day': 'day', 'start of month': 'month', 'start of year': 'year' };

function move(instant: string, modifiers: readonly string[]): string {
  let at = instant;
  let firstOfMonth = false;
  for (const modifier of modifiers) {
    const start = STARTS[modifier];
    const step = /^([+-]?\d+) (second|minute|hour|day|month|year)s?$/.exec(modifier);
    const [, count = '', unit = ''] = step ?? [];
    if (start !== undefined) {
      at = `date_trunc('${start}', ${at})`;
      firstOfMonth = start !== 'day';
    } else if (step === null) {
      throw new Untranslatable(`PostgreSQL has no equal of the date modifier '${modifier}'`);
    } else {
      // 31 January and one month is 3 March in SQLite and 28 February in PostgreSQL; from a first they agree.
      const calendar = unit === 'month' || unit === 'year';
      if (calendar && !firstOfMonth) throw new Untranslatable(`'${modifier}' means another day at the end of a month`);
      at = `(${at} + interval '${Number(count)} ${unit}')`;
      firstOfMonth = firstOfMonth && calendar;
    }
  }
  return at;
}

// ---- strftime ----------------------------------------------------------------------------------------------------------

const LETTERS: Readonly<Record<string, string>> = {
  Y: 'YYYY',
  m: 'MM',
  d: 'DD',
  H: 'HH24',
  M: 'MI',
  S: 'SS',
  f: 'SS.MS',
  j: 'DDD',
  F: SHAPES.date,
  T: SHAPES.time,
  R: 'HH24:MI',
  G: 'IYYY',
  V: 'IW',
  u: 'ID',
};

function strftime(setting: Setting, format: Expr | undefined, instant: string): Value {
  const pattern = format === undefined ? null : translate(setting, format).literal?.value;
  if (typeof pattern !== 'string') throw new Untranslatable('strftime() with a format that is not known');
  if (pattern === '%s') return value('text', `floor(extract(epoch from ${instant}))::bigint::text`, { looksNumeric: 'always' });
  if (pattern === '%w') return value('text', `extract(dow from ${instant})::int::text`, { looksNumeric: 'always' });
  const pieces = pattern.split(/(%.)/su).filter((piece) => piece !== '');
  const shape = pieces
    .map((piece) => {
      if (piece === '%%') return '"%"';
      if (!piece.startsWith('%')) return `"${piece.replaceAll(/["\\]/g, '\\$&')}"`;
      const letters = LETTERS[piece.slice(1)];
      if (letters === undefined) throw new Untranslatable(`PostgreSQL has no equal of strftime('${piece}')`);
      return letters;
    })
    .join('');
  const digitsOnly = pieces.every((piece) => /^%[YmdHMSjGVu]$/.test(piece));
  const looksNumeric = digitsOnly ? 'always' : pattern.startsWith('%Y-') || pattern.includes(':') ? 'never' : 'maybe';
  return { ...shown(instant, shape, looksNumeric), instant: pattern.startsWith('%Y-%m-%d') ? instant : null };
}
