import type { SQLInputValue } from 'node:sqlite';
import { quoteName } from '@safekeep/postgres';
import { epochUnits } from '../encode/epoch.ts';
import type { ColumnForm } from '../prove/digest-form.ts';
import type { Spelling } from './model.ts';

// A value of PostgreSQL as the one of SQLite that the import would turn into it again. What has no such value is found by the
// comparison after the writing back, not here: here only the spelling is chosen.

/**
 * An expression that gives the value of `column` as text, in a session with DateStyle ISO, TimeZone UTC, bytea_output hex and
 * extra_float_digits 1. Dates and times in the spelling of the source where that loses nothing, else in ISO 8601.
 */
export function textSql(column: string, form: ColumnForm, spelling: Spelling | null): string {
  if (form.epoch !== null) return `(extract(epoch FROM ${column}) * 1000000)::bigint::text`;
  const shape = spelling !== null && 'shape' in spelling ? `'${spelling.shape.replaceAll("'", "''")}'` : null;
  switch (form.type) {
    case 'date':
      return spelled(column, `to_char(${column}, 'YYYY-MM-DD')`, shape, 'date');
    case 'time':
      return shape === null
        ? `${column}::text`
        : `CASE WHEN to_char(${column}::interval, ${shape})::time = ${column} THEN to_char(${column}::interval, ${shape}) ELSE ${column}::text END`;
    case 'timestamp':
      return spelled(column, `${column}::text`, shape, 'timestamp');
    case 'timestamptz':
      return spelled(column, `to_char(${column}, 'YYYY-MM-DD HH24:MI:SS.US') || '+00:00'`, shape, 'timestamptz');
    default:
      return `${column}::text`;
  }
}

function spelled(column: string, otherwise: string, shape: string | null, type: string): string {
  if (shape === null) return otherwise;
  return `CASE WHEN isfinite(${column}) AND to_char(${column}, ${shape})::${type} = ${column} THEN to_char(${column}, ${shape}) ELSE ${otherwise} END`;
}

/** Whether the two are the same value: json has no comparison of its own. */
export function sameSql(one: string, other: string, { type }: ColumnForm): string {
  const cast = type === 'json' ? '::text' : '';
  return `${one}${cast} IS NOT DISTINCT FROM ${other}${cast}`;
}

const WHOLE = /^-?\d+(?:\.0*)?$/;
const INT64_MAX = 9_223_372_036_854_775_807n;

/** The value of SQLite for the text that {@link textSql} gave. */
export function typedBack(text: string, form: ColumnForm, spelling: Spelling | null): SQLInputValue {
  if (form.epoch !== null) return epochCount(BigInt(text), form.epoch);
  if (form.type.startsWith('numeric')) return number(text);
  switch (form.type) {
    case 'bigint':
      return BigInt(text);
    case 'double precision':
      return Number(text);
    case 'boolean':
      if (spelling !== null && 'words' in spelling) return spelling.words[text === 'true' ? 1 : 0];
      return text === 'true' ? 1n : 0n;
    case 'bytea':
      return bytes(Buffer.from(text.slice(2), 'hex'), spelling);
    default:
      return text;
  }
}

/** An integer where it is one; a real where that names the same decimal; else the decimal itself, as text. */
function number(text: string): SQLInputValue {
  if (!WHOLE.test(text)) return Number(text);
  const whole = BigInt(text.split('.')[0] ?? '0');
  return whole <= INT64_MAX && whole >= -INT64_MAX - 1n ? whole : Number(text);
}

function bytes(value: Buffer, spelling: Spelling | null): SQLInputValue {
  if (spelling === null) return value;
  const text = value.toString('utf8');
  return Buffer.from(text).equals(value) && !text.includes('\0') ? text : value;
}

function epochCount(unixMicros: bigint, unit: NonNullable<ColumnForm['epoch']>): bigint {
  const { perSecond, microsAtZero } = epochUnits[unit];
  return (unixMicros - microsAtZero) / (1_000_000n / perSecond);
}

export function quotedTarget(table: string, form: ColumnForm): string {
  return `${table}.${quoteName(form.target)}`;
}
