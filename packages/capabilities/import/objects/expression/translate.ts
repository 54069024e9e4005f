import type { CaseExpr, Expr, InListExpr, LikeExpr, Operator, ParenthesizedExpr, Select } from 'sqlite3-parser';
import { quoteText } from '@safekeep/postgres';
import { affinityOf } from '../affinity.ts';
import { textAt } from '../sqlite-syntax.ts';
import { compare, type Comparison, type Notes } from './compare.ts';
import { evaluate, isConstant, quoteForSqlite } from './constant.ts';
import { translateCountAll } from './aggregates.ts';
import { translateCall } from './functions.ts';
import { globToRegex } from './patterns.ts';
import type { NamedValue, Scope } from './scope.ts';
import { resolve } from './scope.ts';
import { asCondition, asDouble, asNumber, asText, isNumber, literal, Untranslatable, value, withC, type Value } from './value.ts';

/** What an expression is translated with. */
export type Setting = Notes & {
  readonly scope: Scope;
  /** The statement the nodes come from: only the text tells `"x"` from `x`. */
  readonly text: string;
  /** For indexes and generated columns: PostgreSQL takes immutable functions only. */
  readonly immutable: boolean;
  /** Null where SQLite allows no subqueries. */
  readonly subquery: ((select: Select, scope: Scope) => Subquery) | null;
};

type Subquery = { readonly sql: string; readonly columns: readonly NamedValue[] };

const COMPARISONS: Partial<Record<Operator, Comparison>> = {
  Equals: '=',
  NotEquals: '<>',
  Less: '<',
  LessEquals: '<=',
  Greater: '>',
  GreaterEquals: '>=',
  Is: 'is',
  IsNot: 'is not',
};

export function translate(setting: Setting, node: Expr): Value {
  if (isConstant(node) && node.type !== 'StringLiteral') return literal(evaluate(textAt(setting.text, node.span)));
  switch (node.type) {
    case 'StringLiteral':
      return literal(node.value);
    case 'Id':
      return translateName(setting, node.name, node.span.offset);
    case 'QualifiedExpr': {
      const found = resolve(setting.scope, node.column.text, node.table.text);
      if (found === null) throw new Untranslatable(`there is no column ${node.table.text}.${node.column.text}`);
      return found;
    }
    case 'ParenthesizedExpr':
      return translate(setting, only(node));
    case 'CollateExpr':
      return { ...translate(setting, node.expr), collation: node.collation.toUpperCase(), collationWritten: true };
    case 'CastExpr':
      return translateCast(
        setting,
        translate(setting, node.expr),
        node.typeName === undefined ? '' : textAt(setting.text, node.typeName.span),
      );
    case 'UnaryExpr':
      return translateUnary(setting, node.op, node.expr);
    case 'BinaryExpr':
      return translateBinary(setting, node.op, [node.left, node.right]);
    case 'BetweenExpr':
      return translateBetween(setting, node);
    case 'IsNullExpr':
      return value('truth', `(${translate(setting, node.expr).sql} IS NULL)`);
    case 'NotNullExpr':
      return value('truth', `(${translate(setting, node.expr).sql} IS NOT NULL)`);
    case 'InListExpr':
      return translateInList(setting, node);
    case 'InSelectExpr':
      return translateInSelect(setting, node);
    case 'LikeExpr':
      return translateLike(setting, node);
    case 'CaseExpr':
      return translateCase(setting, node);
    case 'ExistsExpr':
      return value('truth', `EXISTS (${subqueryOf(setting, node.select).sql})`);
    case 'SubqueryExpr':
      return translateScalarSubquery(setting, node.select);
    case 'FunctionCallExpr':
      return translateCall(setting, node);
    case 'FunctionCallStarExpr':
      return translateCountAll(setting, node);
    case 'CurrentDateLiteral':
      return translateCall(setting, { name: 'date', args: [] });
    case 'CurrentTimeLiteral':
      return translateCall(setting, { name: 'time', args: [] });
    case 'CurrentTimestampLiteral':
      return translateCall(setting, { name: 'datetime', args: [] });
    default:
      throw new Untranslatable(`PostgreSQL has no equal of ${textAt(setting.text, node.span)}`);
  }
}

function only({ exprs }: ParenthesizedExpr): Expr {
  const [inner, ...others] = exprs;
  if (inner === undefined || others.length > 0) throw new Untranslatable('it compares rows of values');
  return inner;
}

/** A name is a column; else a string, if it was double-quoted; else TRUE or FALSE. */
function translateName(setting: Setting, name: string, offset: number): Value {
  const found = resolve(setting.scope, name, null);
  if (found !== null) return found;
  if (setting.text[offset] === '"') return literal(name);
  if (/^true$/i.test(name)) return value('truth', 'TRUE', { literal: { value: 1n } });
  if (/^false$/i.test(name)) return value('truth', 'FALSE', { literal: { value: 0n } });
  throw new Untranslatable(`there is no column ${name}`);
}

export function condition(setting: Setting, node: Expr): string {
  return asCondition(translate(setting, node));
}

// ---- operators ---------------------------------------------------------------------------------------------------------

function translateUnary(setting: Setting, operator: string, operand: Expr): Value {
  const held = translate(setting, operand);
  if (operator === 'Not') return value('truth', `(NOT ${asCondition(held)})`);
  if (operator === 'Positive') return { ...held, affinity: null };
  const number = arithmeticOperand(setting, held);
  if (operator === 'Negative') return { ...number, sql: `(- ${number.sql})`, affinity: null, literal: null };
  if (number.kind !== 'integer') throw new Untranslatable(`~ is applied to ${number.sql}, which is not an integer in every row`);
  return value('integer', `(~ ${number.sql})`);
}

function translateBinary(setting: Setting, operator: Operator, [leftNode, rightNode]: readonly [Expr, Expr]): Value {
  const comparison = COMPARISONS[operator];
  if (comparison !== undefined) {
    return (
      translateTruthTest(setting, comparison, rightNode, leftNode) ??
      compare(setting, comparison, { left: translate(setting, leftNode), right: translate(setting, rightNode) })
    );
  }
  if (operator === 'And' || operator === 'Or') {
    return value('truth', `(${condition(setting, leftNode)} ${operator.toUpperCase()} ${condition(setting, rightNode)})`);
  }
  const [left, right] = [translate(setting, leftNode), translate(setting, rightNode)];
  if (operator === 'Concat') return concatenate(left, right);
  if (operator === 'ArrowRight' || operator === 'ArrowRightShift')
    throw new Untranslatable('it takes JSON apart, which PostgreSQL does on json columns only');
  return arithmetic(operator, arithmeticOperand(setting, left), arithmeticOperand(setting, right));
}

/** `x IS TRUE`: a test of x as a condition, not a comparison with 1. */
function translateTruthTest(setting: Setting, comparison: Comparison, right: Expr, left: Expr): Value | null {
  if ((comparison !== 'is' && comparison !== 'is not') || right.type !== 'Id' || !/^(true|false)$/i.test(right.name)) return null;
  if (resolve(setting.scope, right.name, null) !== null) return null;
  return value('truth', `(${condition(setting, left)} IS ${comparison === 'is' ? '' : 'NOT '}${right.name.toUpperCase()})`);
}

function concatenate(left: Value, right: Value): Value {
  const [one, other] = [asText(left), asText(right)];
  return value('text', `(${one.sql} || ${other.sql})`, { collated: one.collated || other.collated });
}

/** Numbers as they are; a text counts as the number it begins with, 0 where it begins with none. */
export function arithmeticOperand(setting: Setting, held: Value): Value {
  if (isNumber(held)) return asNumber(held);
  if (held.kind === 'null') return value('integer', 'NULL::bigint');
  if (held.kind !== 'text' && held.kind !== 'moment')
    throw new Untranslatable(`it calculates with ${held.sql}, which is not a number`);
  const written = asText(held);
  if (typeof written.literal?.value === 'string') return literal(evaluate(`${quoteForSqlite(written.literal.value)} + 0`));
  if (written.looksNumeric === 'always') return value('integer', `(${written.sql})::bigint`);
  setting.note(
    `it calculates with the text ${written.sql} as SQLite does, by the number the text begins with (0 if none); past 2^53 the last digits may differ`,
  );
  const prefix = `substring(${written.sql} from '^[ \\t\\n\\v\\f\\r]*([+-]?(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:[eE][+-]?[0-9]+)?)')`;
  return value('number', `(CASE WHEN ${written.sql} IS NOT NULL THEN coalesce(${prefix}::double precision, 0) END)`);
}

const ARITHMETIC: Partial<Record<Operator, string>> = {
  Add: '+',
  Subtract: '-',
  Multiply: '*',
  Divide: '/',
  Modulus: '%',
  BitwiseAnd: '&',
  BitwiseOr: '|',
  LeftShift: '<<',
  RightShift: '>>',
};

function arithmetic(operator: Operator, left: Value, right: Value): Value {
  const sign = ARITHMETIC[operator];
  if (sign === undefined) throw new Untranslatable(`PostgreSQL has no operator like ${operator}`);
  const integers = left.kind === 'integer' && right.kind === 'integer';
  if (integers) return value('integer', integerArithmetic(sign, left, right), { small: left.small && right.small });
  if (sign === '/') return value('real', divide(left, right));
  if (sign !== '+' && sign !== '-' && sign !== '*')
    throw new Untranslatable(`${sign} is applied to ${left.sql} and ${right.sql}, of which one is not an integer in every row`);
  const kind = left.kind === 'real' || right.kind === 'real' ? 'real' : 'number';
  return value(kind, `(${asDouble(left)} ${sign} ${asDouble(right)})`);
}

/** SQLite gives NULL where PostgreSQL stops with "division by zero"; both cut integer quotients towards zero. */
function integerArithmetic(sign: string, left: Value, right: Value): string {
  const one = left.literal === null ? left.sql : `${left.sql}::bigint`;
  if (sign === '/' || sign === '%') return `(${one} ${sign} ${nonZero(right)})`;
  if (sign === '<<' || sign === '>>') {
    const by = right.literal?.value;
    if (typeof by !== 'bigint' || by < 0n || by > 63n) throw new Untranslatable('it shifts by a number of bits that is not known');
    return `(${one} ${sign} ${by})`;
  }
  return `(${one} ${sign} ${right.sql})`;
}

function nonZero(divisor: Value): string {
  return isNonZero(divisor) ? divisor.sql : `nullif(${divisor.sql}, 0)`;
}

function isNonZero(divisor: Value): boolean {
  const known = divisor.literal?.value;
  return known !== undefined && known !== null && Number(known) !== 0;
}

/** With a real on either side SQLite divides reals; else it depends on the class of each value, which must be known. */
function divide(left: Value, right: Value): string {
  const divisor = isNonZero(right) ? asDouble(right) : `nullif(${asDouble(right)}, 0)`;
  if (left.kind === 'real' || right.kind === 'real') return `(${asDouble(left)} / ${divisor})`;
  const parts = [left, right].filter(({ kind }) => kind === 'number');
  if (parts.some(({ classKnown }) => !classKnown)) {
    throw new Untranslatable(
      `${left.sql} / ${right.sql}: SQLite cuts the quotient of two integers and not that of reals, and which of them stands in a row is not known`,
    );
  }
  const integral = parts.map(({ sql }) => `${sql} = trunc(${sql})`).join(' AND ');
  return `(CASE WHEN ${integral} THEN trunc(${asDouble(left)} / ${divisor}) ELSE ${asDouble(left)} / ${divisor} END)`;
}

// ---- CAST --------------------------------------------------------------------------------------------------------------

function translateCast(setting: Setting, held: Value, typeName: string): Value {
  const affinity = affinityOf(typeName);
  const cast = (): Value => {
    switch (affinity) {
      case 'text':
        return asText(held);
      case 'integer':
        return castToInteger(held);
      case 'real': {
        const number = arithmeticOperand(setting, held);
        return value('real', asDouble(number));
      }
      case 'numeric':
        if (held.kind === 'integer' || held.kind === 'number') return held;
        throw new Untranslatable(`CAST(… AS ${typeName}) gives an integer or a real, row by row`);
      case 'blob':
        if (held.kind === 'blob') return held;
        return value('blob', `convert_to(${asText(held).sql}, 'UTF8')`);
    }
  };
  return { ...cast(), affinity, collation: held.collation, collationWritten: held.collationWritten, literal: null };
}

function castToInteger(held: Value): Value {
  if (held.kind === 'integer' || held.kind === 'truth') return asNumber(held);
  if (held.kind === 'real' || held.kind === 'number') return value('integer', `trunc(${held.sql})::bigint`);
  const written = asText(held);
  const prefix = `substring(${written.sql} from '^[ \\t\\n\\v\\f\\r]*([+-]?[0-9]+)')`;
  return value('integer', `(CASE WHEN ${written.sql} IS NOT NULL THEN coalesce(${prefix}::bigint, 0) END)`);
}

// ---- BETWEEN, IN, LIKE, CASE -------------------------------------------------------------------------------------------

function translateBetween(
  setting: Setting,
  node: { readonly lhs: Expr; readonly start: Expr; readonly end: Expr; readonly not: boolean },
): Value {
  const held = translate(setting, node.lhs);
  const from = compare(setting, '>=', { left: held, right: translate(setting, node.start) });
  const to = compare(setting, '<=', { left: held, right: translate(setting, node.end) });
  const inside = `(${from.sql} AND ${to.sql})`;
  return value('truth', node.not ? `(NOT ${inside})` : inside);
}

function translateInList(setting: Setting, node: InListExpr): Value {
  const held = translate(setting, node.lhs);
  const items = node.rhs ?? [];
  if (items.length === 0) return value('truth', node.not ? 'TRUE' : 'FALSE');
  // `x IN (a, b)` is `x = +a OR x = +b` (sqlite.org/datatype3.html, 4.1): the items have no affinity and no collation.
  const tests = items.map(
    (item) =>
      compare(setting, '=', {
        left: held,
        right: { ...translate(setting, item), affinity: null, collation: null, collationWritten: false },
      }).sql,
  );
  const any = `(${tests.join(' OR ')})`;
  return value('truth', node.not ? `(NOT ${any})` : any);
}

function translateInSelect(setting: Setting, node: { readonly lhs: Expr; readonly rhs: Select; readonly not: boolean }): Value {
  const held = translate(setting, node.lhs);
  const { sql, columns } = subqueryOf(setting, node.rhs);
  const [column] = columns;
  if (column === undefined || columns.length > 1) throw new Untranslatable('it compares rows of values');
  // The comparison is written out once on stand-ins, to learn whether a plain = means the same.
  const test = compare(setting, '=', {
    left: held,
    right: { ...column.value, sql: '?', collation: null, collationWritten: false, literal: null },
  });
  if (test.sql !== `(${held.sql} = ?)`)
    throw new Untranslatable(`${held.sql} IN (SELECT …) compares values of different kinds or by a collation`);
  return value('truth', `(${held.sql} ${node.not ? 'NOT ' : ''}IN (${sql}))`);
}

function translateLike(setting: Setting, node: LikeExpr): Value {
  const not = node.not ? 'NOT ' : '';
  const held = asText(translate(setting, node.lhs));
  const pattern = asText(translate(setting, node.rhs));
  if (node.op === 'Like') {
    // LIKE ignores the case of ASCII letters only, as ILIKE does under "C"; it has no escape character unless named.
    return value('truth', `(${withC(held)} ${not}ILIKE ${pattern.sql} ESCAPE ${escapeOf(setting, node, pattern)})`);
  }
  if (node.op !== 'Glob' || typeof pattern.literal?.value !== 'string')
    throw new Untranslatable(`${node.op.toUpperCase()} with a pattern that is not known`);
  const match = `${withC(held)} ~ ${quoteText(globToRegex(pattern.literal.value))}`;
  return value('truth', node.not ? `(NOT ${match})` : `(${match})`);
}

function escapeOf(setting: Setting, node: LikeExpr, pattern: Value): string {
  if (node.escape === undefined) return `''`;
  const escape = translate(setting, node.escape).literal?.value;
  const written = pattern.literal?.value;
  if (typeof escape !== 'string' || typeof written !== 'string' || [...escape].length !== 1)
    throw new Untranslatable('LIKE with an ESCAPE or pattern that is not known');
  // PostgreSQL stops with an error at an escape character that ends the pattern.
  if (written.replaceAll(escape + escape, '').endsWith(escape))
    throw new Untranslatable('its LIKE pattern ends in the escape character');
  return quoteText(escape);
}

function translateCase(setting: Setting, node: CaseExpr): Value {
  const base = node.base === undefined ? null : translate(setting, node.base);
  const whens = node.whenThenPairs.map(({ when }) =>
    base === null ? condition(setting, when) : compare(setting, '=', { left: base, right: translate(setting, when) }).sql,
  );
  const results = node.whenThenPairs.map(({ then }) => translate(setting, then));
  const last = node.elseExpr === undefined ? literal(null) : translate(setting, node.elseExpr);
  const common = alike([...results, last]);
  const arms = whens.map((when, at) => `WHEN ${when} THEN ${common.values[at]?.sql ?? 'NULL'}`);
  return common.of(`(CASE ${arms.join(' ')} ELSE ${common.values.at(-1)?.sql ?? 'NULL'} END)`);
}

function translateScalarSubquery(setting: Setting, select: Select): Value {
  const { sql, columns } = subqueryOf(setting, select);
  const [column] = columns;
  if (column === undefined || columns.length > 1) throw new Untranslatable('it compares rows of values');
  // SQLite takes the first of many rows, PostgreSQL stops with an error: an aggregate without GROUP BY gives one only.
  if (!givesOneRow(select))
    setting.note(
      'a subquery used as a value must give one row at most; SQLite takes the first of many, PostgreSQL stops with an error',
    );
  return { ...column.value, sql: `(${sql})`, literal: null, textForm: column.value.textForm === null ? null : `(${sql})` };
}

function givesOneRow(select: Select): boolean {
  if (select.limit?.expr.type === 'NumericLiteral' && select.limit.expr.value === '1') return true;
  const { select: arm } = select;
  if (select.compounds !== undefined || arm.type !== 'SelectFrom' || arm.groupBy !== undefined) return false;
  return (
    arm.from === undefined ||
    arm.columns.some(
      (column) =>
        column.type === 'ExprResultColumn' && /^(count|sum|total|avg|min|max|group_concat)\b/i.test(nameOfCall(column.expr)),
    )
  );
}

function nameOfCall(node: Expr): string {
  return node.type === 'FunctionCallExpr' || node.type === 'FunctionCallStarExpr' ? node.name.name : '';
}

function subqueryOf(setting: Setting, select: Select): Subquery {
  if (setting.subquery === null) throw new Untranslatable('it holds a subquery');
  return setting.subquery(select, setting.scope);
}

// ---- values that must become one column --------------------------------------------------------------------------------

export type Alike = {
  /** Rewritten to one PostgreSQL type. */
  readonly values: readonly Value[];
  /** The value that stands for any of them, under the SQL that chooses. */
  readonly of: (sql: string) => Value;
};

/** CASE, coalesce() and UNION give one column: PostgreSQL needs one type, so the kinds must go together without loss. */
export function alike(given: readonly Value[]): Alike {
  // A NULL that was computed by CASE or nullif() would be a text to PostgreSQL.
  const values = given.map((each) =>
    each.kind === 'null' ? literal(null) : each.kind === 'truth' && each.affinity === null ? asNumber(each) : each,
  );
  const held = values.filter(({ kind }) => kind !== 'null');
  const [first] = held;
  // Without a type of its own: a CASE of NULLs only would be text to PostgreSQL.
  if (first === undefined) return { values, of: () => literal(null) };
  const kinds = new Set(held.map(({ kind }) => kind));
  if (
    kinds.size === 1 &&
    (first.kind !== 'moment' || held.every(({ shape }) => shape !== null && shape === first.shape)) &&
    first.kind !== 'opaque' &&
    first.kind !== 'number'
  ) {
    const collated = first.kind === 'text' && held.some((each) => each.collated);
    const numeric = held.every(({ looksNumeric }) => looksNumeric === first.looksNumeric) ? first.looksNumeric : 'maybe';
    return {
      values: values.map(typed),
      of: (sql) =>
        value(first.kind, sql, {
          collated,
          looksNumeric: numeric,
          shape: first.shape,
          small: held.every(({ small }) => small),
          textForm: first.shape === null ? null : `to_char(${sql}, ${quoteText(first.shape)})`,
        }),
    };
  }
  if (held.every(isNumber)) {
    if (!kinds.has('real') && !kinds.has('number'))
      return { values: values.map((each) => typed(asNumber(each))), of: (sql) => value('integer', sql) };
    return {
      values: values.map((each) => (each.kind === 'null' ? each : value('real', asDouble(each)))),
      of: (sql) => value('number', sql),
    };
  }
  if (held.every(({ kind }) => kind === 'text' || kind === 'moment')) {
    return {
      values: values.map((each) => (each.kind === 'null' ? each : asText(each))),
      of: (sql) => value('text', sql, { collated: held.some((each) => each.collated) }),
    };
  }
  throw new Untranslatable(
    `one column would hold values of different kinds (${held.map(({ sql, kind }) => `${sql}: ${kind}`).join(', ')})`,
  );
}

/** Literals carry no type of their own in PostgreSQL: 1 would be a 32-bit integer, 'x' unknown. */
export function typed(held: Value): Value {
  if (held.literal === null) return held;
  if (held.kind === 'integer') return { ...held, sql: `${held.sql}::bigint`, literal: null };
  return held.kind === 'text' ? { ...held, sql: `${held.sql}::text`, literal: null } : held;
}
