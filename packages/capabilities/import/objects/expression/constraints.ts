import { decisionOf, quotedColumn, type Translation } from '../context.ts';
import type { ColumnDecision, IndexPart, SourceColumn, SourceTable, TargetType } from '../model.ts';
import { foldName, parseExpression, type Parsed } from '../sqlite-syntax.ts';
import { traverse, type Expr } from 'sqlite3-parser';
import { quoteText } from '@safekeep/postgres';
import { evaluate, evaluateDefault, isConstant, quoteForSqlite } from './constant.ts';
import type { Scope } from './scope.ts';
import { translate, type Setting } from './translate.ts';
import {
  asCondition,
  asDouble,
  asNumber,
  asText,
  columnValue,
  isNumber,
  literal,
  Untranslatable,
  withC,
  type Literal,
  type Value,
} from './value.ts';
import { folded } from '../keys.ts';

export type Translated =
  | {
      readonly ok: true;
      readonly sql: string;
      /** Differences in meaning: the object is `changed`. */
      readonly notes: readonly string[];
      readonly remarks: readonly string[];
    }
  | { readonly ok: false; readonly reason: string };

/** A CHECK, or the WHERE of a partial index. */
export function conditionFor(
  context: Translation,
  table: SourceTable,
  expression: string,
  options: { readonly immutable?: boolean } = {},
): Translated {
  return attempt(expression, (parsed, notes) => {
    const setting = tableSetting(context, table, { parsed, notes, immutable: options.immutable ?? false });
    return asCondition(translate(setting, parsed.node));
  });
}

export function indexExpressionFor(context: Translation, table: SourceTable, part: IndexPart): Translated {
  return attempt(part.expression ?? '', (parsed, notes) => {
    const held = translate(tableSetting(context, table, { parsed, notes, immutable: true }), parsed.node);
    if (held.kind === 'opaque' || held.kind === 'null') throw new Untranslatable('it indexes values of different kinds');
    if (held.kind !== 'text') return `(${held.sql})`;
    return `(${folded(withC(held), part.collation)})`;
  });
}

export function generatedFor(context: Translation, table: SourceTable, column: SourceColumn): Translated {
  const expression = column.generated?.expression ?? '';
  if (expression === '') return { ok: false, reason: 'its expression could not be read' };
  const decision = decisionOf(context, table, column.name);
  return attempt(expression, (parsed, notes) => {
    const named = namesIn(parsed.node);
    if (table.columns.some((other) => other.generated !== null && named.has(foldName(other.name))))
      throw new Untranslatable('PostgreSQL lets no generated column use another');
    return assigned(translate(tableSetting(context, table, { parsed, notes, immutable: true }), parsed.node), decision.type);
  });
}

function namesIn(node: Expr): ReadonlySet<string> {
  const names = new Set<string>();
  traverse(node, {
    nodes: { Id: ({ name }) => void names.add(foldName(name)), Name: ({ text }) => void names.add(foldName(text)) },
  });
  return names;
}

export function defaultFor(decision: ColumnDecision, column: SourceColumn): Translated {
  const expression = column.defaultSql ?? '';
  return attempt(expression, (parsed, notes) => {
    const { node } = parsed;
    if (node.type === 'Id') return constantDefault(decision, evaluateDefault(column.declaredType, wordAsConstant(node.name)));
    if (isConstant(node)) return constantDefault(decision, evaluateDefault(column.declaredType, expression));
    const setting = {
      ...notes,
      scope: { sources: [], aliases: [], outer: null },
      text: parsed.text,
      immutable: false,
      subquery: null,
    };
    return assigned(translate(setting, node), decision.type);
  });
}

/** A bare word is a string here: DEFAULT pending. TRUE and FALSE are 1 and 0. */
function wordAsConstant(word: string): string {
  return /^(true|false)$/i.test(word) ? word : quoteForSqlite(word);
}

function attempt(
  expression: string,
  write: (parsed: Parsed<Expr>, notes: { readonly note: (text: string) => void }) => string,
): Translated {
  const parsed = parseExpression(expression);
  if (parsed === null) return { ok: false, reason: 'its text is not of SQLite’s grammar' };
  const notes = new Set<string>();
  try {
    return { ok: true, sql: write(parsed, { note: (text) => void notes.add(text) }), notes: [...notes], remarks: [] };
  } catch (error) {
    if (error instanceof Untranslatable) return { ok: false, reason: error.message };
    throw error;
  }
}

type TableSetting = {
  readonly parsed: Parsed<Expr>;
  readonly notes: { readonly note: (text: string) => void };
  readonly immutable: boolean;
};

function tableSetting(context: Translation, table: SourceTable, { parsed, notes, immutable }: TableSetting): Setting {
  return { ...notes, scope: tableScope(context, table), text: parsed.text, immutable, subquery: null };
}

function tableScope(context: Translation, table: SourceTable): Scope {
  const columns = table.columns
    .filter(({ hidden }) => !hidden)
    .map((column) => ({
      name: column.name,
      value: columnValue(column, decisionOf(context, table, column.name), quotedColumn(context, table, column.name)),
    }));
  return { sources: [{ name: table.name, columns, rowid: table.rowidAlias, merged: new Set() }], aliases: [], outer: null };
}

// ---- putting a value into a column -------------------------------------------------------------------------------------

/** The value as the column's type holds it, where that is certainly the value SQLite would store. */
function assigned(held: Value, type: TargetType): string {
  if (held.kind === 'null') return 'NULL';
  if (type === 'bigint' && (held.kind === 'integer' || held.kind === 'truth')) return asNumber(held).sql;
  if (type === 'bigint' && held.kind === 'text' && held.looksNumeric === 'always') return `(${held.sql})::bigint`;
  if (type === 'double precision' && isNumber(held)) return asDouble(held);
  // By way of its shortest text: a direct cast to numeric keeps 15 digits only.
  if (type === 'numeric' && (held.kind === 'real' || held.kind === 'number')) return `((${held.sql})::text)::numeric`;
  if (type === 'numeric' && isNumber(held)) return `(${asNumber(held).sql})::numeric`;
  if (type === 'boolean' && isNumber(held)) return asCondition(held);
  if (type === 'text' && (held.kind === 'text' || held.kind === 'integer' || held.kind === 'moment')) return asText(held).sql;
  if (type === 'bytea' && held.kind === 'blob') return held.sql;
  if (type === 'date' && held.instant !== null) return `(${held.instant})::date`;
  if (type === 'timestamp' && held.instant !== null) return held.instant;
  if (type === 'timestamptz' && held.instant !== null) return `(${held.instant} AT TIME ZONE 'UTC')`;
  if (type === 'time' && held.kind === 'text' && held.sql.includes('HH24:MI:SS')) return `(${held.sql})::time`;
  throw new Untranslatable(`it gives ${held.kind}, and the column is ${type}`);
}

function constantDefault(decision: ColumnDecision, held: Literal): string {
  if (held === null) return 'NULL';
  const { type } = decision;
  if (type === 'text') return quoteText(typeof held === 'string' ? held : textOf(held));
  if (type === 'bytea') return literal(typeof held === 'string' ? Buffer.from(held) : bytesOf(held)).sql;
  if (type === 'boolean') return booleanDefault(decision, held);
  if (typeof held === 'bigint' && (type === 'bigint' || type === 'double precision' || type === 'numeric')) return String(held);
  if (typeof held === 'number' && (type === 'double precision' || type === 'numeric')) return literal(held).sql;
  if (typeof held === 'number' && type === 'bigint' && Number.isSafeInteger(held)) return String(held);
  const scale = /^numeric\((\d+),(\d+)\)$/.exec(type);
  if (scale !== null && (typeof held === 'bigint' || typeof held === 'number')) return scaledDefault(held, Number(scale[2]));
  if (typeof held === 'string') return momentDefault(type, held);
  throw new Untranslatable(`the default does not fit a column of type ${type}, which its values asked for`);
}

/** PostgreSQL would round it silently to the column's scale. */
function scaledDefault(held: bigint | number, scale: number): string {
  const digits = /\.(\d+)$/.exec(String(held))?.[1]?.length ?? 0;
  if (digits > scale || /e/i.test(String(held)))
    throw new Untranslatable(`the default ${held} has more than ${scale} decimal places`);
  return String(held);
}

function textOf(held: bigint | number | Uint8Array): string {
  if (held instanceof Uint8Array) throw new Untranslatable('the default is a blob, and the column became text');
  return String(evaluate(`CAST(${typeof held === 'number' ? held.toExponential(17) : held} AS TEXT)`));
}

function bytesOf(held: bigint | number | Uint8Array): Uint8Array {
  if (held instanceof Uint8Array) return held;
  throw new Untranslatable('the default is a number, and the column became bytea');
}

function booleanDefault(decision: ColumnDecision, held: Literal): string {
  const texts = decision.facts.texts > 0;
  if (!texts && (held === 0n || held === 1n)) return held === 1n ? 'TRUE' : 'FALSE';
  if (texts && typeof held === 'string' && /^(true|false)$/i.test(held)) return held.toUpperCase();
  throw new Untranslatable('the default is neither true nor false, and the column became boolean');
}

const MOMENTS: Partial<Record<TargetType, RegExp>> = {
  date: /^\d{4}-\d\d-\d\d$/,
  time: /^\d\d:\d\d(:\d\d(\.\d{1,6})?)?$/,
  timestamp: /^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?$/,
  timestamptz: /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)$/,
};

function momentDefault(type: TargetType, held: string): string {
  if (MOMENTS[type]?.test(held) === true) return `${quoteText(held)}::${type}`;
  if (type === 'json' || type === 'jsonb') return `${quoteText(held)}::${type}`;
  throw new Untranslatable(`the default is a text, and the column became ${type}`);
}
