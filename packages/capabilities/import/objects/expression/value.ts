import { quoteText } from '@safekeep/postgres';
import type { Affinity, ColumnDecision, SourceCollation, SourceColumn, TargetType } from '../model.ts';

/** Thrown where an expression cannot be written so that it certainly means the same; the reason goes into the report. */
export class Untranslatable extends Error {
  override readonly name = 'Untranslatable';
}

/**
 * What SQLite would hold at run time:
 * `integer`, `real`, `text`, `blob`: values of that storage class and NULL;
 * `number`: integers and reals side by side; `truth`: 0 and 1, kept as boolean in PostgreSQL;
 * `moment`: texts in SQLite, a date or time in PostgreSQL; `opaque`: can be shown, joined to nothing.
 */
export type Kind = 'integer' | 'real' | 'number' | 'text' | 'blob' | 'truth' | 'moment' | 'opaque' | 'null';

export type Literal = bigint | number | string | Uint8Array | null;

/** An expression of PostgreSQL and what it stands for in SQLite. `sql` can be put beside any operator as it is. */
export type Value = {
  readonly sql: string;
  readonly kind: Kind;
  /** SQLite's affinity, which only columns and CASTs have. */
  readonly affinity: Affinity | null;
  /** The collation of a column or of COLLATE; null for other expressions. */
  readonly collation: SourceCollation | null;
  /** COLLATE was written: it wins over a column's own. */
  readonly collationWritten: boolean;
  /** The PostgreSQL expression has the collation "C" already. */
  readonly collated: boolean;
  /** Known when translated. */
  readonly literal: { readonly value: Literal } | null;
  /** Of a moment: the text SQLite holds, as PostgreSQL SQL; null where it cannot be had back. */
  readonly textForm: string | null;
  /** Of a moment: the one shape its texts have, see ColumnFacts. */
  readonly shape: string | null;
  /** The UTC timestamp (without time zone) a text stands for, where every one stands for one. */
  readonly instant: string | null;
  /** Whether texts look like numbers, so that numeric affinity would turn them into some. */
  readonly looksNumeric: 'never' | 'maybe' | 'always';
  /** Of a number: an integral value is an integer in SQLite. False after arithmetic, where 5.0 and 5 look the same. */
  readonly classKnown: boolean;
  /** Integers stay below 2^53, so that PostgreSQL's comparison with a double is exact. */
  readonly small: boolean;
};

const plain: Omit<Value, 'sql' | 'kind'> = {
  affinity: null,
  collation: null,
  collationWritten: false,
  collated: false,
  literal: null,
  textForm: null,
  shape: null,
  instant: null,
  looksNumeric: 'maybe',
  classKnown: false,
  small: true,
};

export function value(kind: Kind, sql: string, more: Partial<Value> = {}): Value {
  return { ...plain, ...more, kind, sql };
}

const SAFE_INTEGER = BigInt(Number.MAX_SAFE_INTEGER);

export function literal(held: Literal): Value {
  const known = { literal: { value: held } };
  if (held === null) return value('null', 'NULL', known);
  if (typeof held === 'bigint')
    return value('integer', held < 0n ? `(${held})` : `${held}`, {
      ...known,
      small: held >= -SAFE_INTEGER && held <= SAFE_INTEGER,
    });
  if (typeof held === 'number') return value('real', `${quoteText(realText(held))}::double precision`, known);
  if (typeof held === 'string')
    return value('text', quoteText(held), { ...known, looksNumeric: numberIn(held) === null ? 'never' : 'always' });
  return value('blob', `'\\x${Buffer.from(held).toString('hex')}'::bytea`, known);
}

function realText(real: number): string {
  return Object.is(real, -0) ? '-0' : String(real);
}

/** The number SQLite's numeric affinity makes of a text; null where it stays a text (sqlite.org/datatype3.html, 3). */
export function numberIn(text: string): bigint | number | null {
  const trimmed = text.replaceAll(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, '');
  if (/^[+-]?\d+$/.test(trimmed)) {
    const integer = BigInt(trimmed.replace('+', ''));
    return BigInt.asIntN(64, integer) === integer ? integer : Number(trimmed);
  }
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)) return null;
  const real = Number(trimmed);
  return Number.isSafeInteger(real) ? BigInt(real) : real;
}

/** A column of a table as it was decided, under the SQL that names it. */
export function columnValue(column: SourceColumn, decision: ColumnDecision, sql: string): Value {
  const { type, facts } = decision;
  const column_ = { affinity: column.affinity, collation: column.collation };
  const integersOnly = facts.reals === 0;
  if (type === 'bigint') return value('integer', sql, { ...column_, small: isSmall(decision) });
  if (type === 'double precision' || isNumeric(type)) {
    if (type === 'double precision' && (facts.integers === 0 || column.affinity === 'real')) return value('real', sql, column_);
    const classKnown = integersOnly || column.affinity === 'numeric' || column.affinity === 'integer';
    return value('number', sql, { ...column_, classKnown, small: isSmall(decision) });
  }
  const other = facts.integers + facts.reals;
  if (type === 'boolean') {
    if (facts.texts === 0) return value('truth', sql, column_);
    const textForm = facts.shape === 'true/false' ? `CASE WHEN ${sql} THEN 'true' WHEN NOT ${sql} THEN 'false' END` : null;
    return value('moment', sql, { ...column_, textForm: textForm === null ? null : `(${textForm})`, looksNumeric: 'never' });
  }
  if (type === 'text') {
    if (other + facts.blobs > 0) return value('opaque', sql, { ...column_, collated: true });
    const numeric = column.affinity === 'text' || column.affinity === 'blob' ? 'maybe' : 'never';
    return value('text', sql, { ...column_, collated: true, looksNumeric: numeric });
  }
  if (type === 'bytea') return value(other + facts.texts > 0 ? 'opaque' : 'blob', sql, column_);
  if (type === 'json' || type === 'jsonb' || other > 0) return value('opaque', sql, column_);
  return value('moment', sql, { ...column_, ...momentForms(type, sql, facts.shape), looksNumeric: 'never' });
}

function momentForms(type: TargetType, sql: string, shape: string | null): Pick<Value, 'textForm' | 'shape' | 'instant'> {
  const instants: Partial<Record<TargetType, string>> = {
    date: `${sql}::timestamp`,
    timestamp: sql,
    timestamptz: `(${sql} AT TIME ZONE 'UTC')`,
  };
  const instant = instants[type] ?? null;
  if (shape === null) return { textForm: null, shape: null, instant };
  // A written offset other than Z is gone: timestamptz keeps the instant only.
  if (type === 'timestamptz' && !shape.endsWith('"Z"')) return { textForm: null, shape: null, instant };
  return { textForm: `to_char(${type === 'time' ? `${sql}::interval` : (instant ?? sql)}, ${quoteText(shape)})`, shape, instant };
}

function isNumeric(type: TargetType): boolean {
  return type.startsWith('numeric');
}

function isSmall({ facts }: ColumnDecision): boolean {
  return (facts.minimum ?? 0n) >= -SAFE_INTEGER && (facts.maximum ?? 0n) <= SAFE_INTEGER;
}

// ---- conversions that both databases agree on --------------------------------------------------------------------------

export function isNumber({ kind }: Value): boolean {
  return kind === 'integer' || kind === 'real' || kind === 'number' || kind === 'truth';
}

/** 0 and 1 of a truth value; other values as they are. */
export function asNumber(held: Value): Value {
  return held.kind === 'truth' ? { ...held, kind: 'integer', sql: `(${held.sql})::int::bigint`, small: true, literal: null } : held;
}

export function asDouble(held: Value): string {
  const number = asNumber(held);
  return number.kind === 'real' ? number.sql : `(${number.sql})::double precision`;
}

/** The text form SQLite would give. Reals are refused: SQLite prints 15 digits and `5.0`, PostgreSQL 17 and `5`. */
export function asText(held: Value): Value {
  const kept = { collation: held.collation, collationWritten: held.collationWritten };
  switch (held.kind) {
    case 'text':
      return held;
    case 'integer':
    case 'truth': {
      const { literal: known } = held;
      if (typeof known?.value === 'bigint') return literal(known.value.toString());
      return value('text', `(${asNumber(held).sql})::text`, { ...kept, looksNumeric: 'always' });
    }
    case 'moment':
      if (held.textForm === null)
        throw new Untranslatable(`${held.sql} was written in several shapes in SQLite, and its text cannot be had back`);
      return value('text', held.textForm, { ...kept, affinity: held.affinity, instant: held.instant, looksNumeric: 'never' });
    case 'null':
      return value('text', 'NULL::text', { literal: { value: null } });
    case 'real':
    case 'number':
      throw new Untranslatable(`SQLite and PostgreSQL write the real number ${held.sql} differently as a text`);
    default:
      throw new Untranslatable(`${held.sql} has no text that is the same in both databases`);
  }
}

/** The text with COLLATE "C" on it: compared byte by byte, with ASCII-only lower() and upper(). */
export function withC(held: Value): string {
  return held.collated ? held.sql : `(${held.sql} COLLATE "C")`;
}

/** SQLite takes any number for a truth value; texts too, by the number they begin with. */
export function asCondition(held: Value): string {
  if (held.kind === 'truth') return held.sql;
  if (held.kind === 'null') return 'NULL::boolean';
  if (isNumber(held)) return `(${held.sql} <> 0)`;
  throw new Untranslatable(`${held.sql} is used as a condition, but is no number`);
}
