import type { Expr, FunctionCallExpr } from 'sqlite3-parser';
import { quoteText } from '@safekeep/postgres';
import { foldName } from '../sqlite-syntax.ts';
import { AGGREGATES, translateAggregate, translateWindowed, WINDOW_FUNCTIONS } from './aggregates.ts';
import { arg, integerArg, numberArg, textArg, type Call } from './arguments.ts';
import { compare } from './compare.ts';
import { DATE_FUNCTIONS, translateDateCall } from './dates.ts';
import { refuseGrouping } from './ordering.ts';
import { alike, arithmeticOperand, condition, type Setting } from './translate.ts';
import { asDouble, asText, isNumber, Untranslatable, value, withC, type Value } from './value.ts';

export function translateCall(
  setting: Setting,
  node: FunctionCallExpr | { readonly name: string; readonly args: readonly Expr[] },
): Value {
  const call: Call =
    typeof node.name === 'string'
      ? { name: node.name, args: node.args ?? [] }
      : { ...node, name: foldName(node.name.name), args: node.args ?? [] };
  const { name, args } = call;
  if (DATE_FUNCTIONS.has(name)) return translateDateCall(setting, name, args);
  const aggregate = AGGREGATES[name];
  if (aggregate !== undefined && !((name === 'min' || name === 'max') && args.length > 1))
    return translateAggregate(setting, call, aggregate);
  const windowed = WINDOW_FUNCTIONS[name];
  if (windowed !== undefined && call.filterOver?.overClause !== undefined) return translateWindowed(setting, call, windowed);
  const scalar = SCALARS[name];
  if (scalar === undefined) throw new Untranslatable(`PostgreSQL has no equal of SQLite’s function ${name}()`);
  if (call.distinctness === 'Distinct' || call.orderBy !== undefined || call.filterOver !== undefined)
    throw new Untranslatable(`${name}() is no aggregate`);
  return scalar(setting, args);
}

// ---- functions of one row ----------------------------------------------------------------------------------------------

type Scalar = (setting: Setting, args: readonly Expr[]) => Value;

const SCALARS: Readonly<Record<string, Scalar>> = {
  abs: (setting, args) => {
    const given = arg(setting, args, 0);
    const held = arithmeticOperand(setting, given);
    // Of a text SQLite takes the real number it begins with.
    return isNumber(given)
      ? value(held.kind, `abs(${held.sql})`, { classKnown: held.classKnown, small: held.small })
      : value('real', `abs(${asDouble(held)})`);
  },
  coalesce: translateCoalesce,
  ifnull: translateCoalesce,
  nullif: (setting, args) => {
    const [left, right] = [arg(setting, args, 0), arg(setting, args, 1)];
    if (left.kind === 'null') return left;
    // A function sees values, not columns: no affinity is applied to them.
    const equal = compare(setting, '=', { left: { ...left, affinity: null }, right: { ...right, affinity: null } });
    return {
      ...left,
      sql: `(CASE WHEN ${equal.sql} THEN NULL ELSE ${left.sql} END)`,
      affinity: null,
      collation: null,
      literal: null,
      textForm: null,
    };
  },
  iif: translateIif,
  if: translateIif,
  length: (setting, args) => {
    const held = arg(setting, args, 0);
    return value('integer', held.kind === 'blob' ? `octet_length(${held.sql})::bigint` : `length(${asText(held).sql})::bigint`);
  },
  octet_length: (setting, args) => value('integer', `octet_length(${textArg(setting, args, 0).sql})::bigint`),
  // Both databases fold A-Z only here: SQLite always, PostgreSQL under "C".
  lower: (setting, args) => value('text', `lower(${withC(textArg(setting, args, 0))})`, { collated: true }),
  upper: (setting, args) => value('text', `upper(${withC(textArg(setting, args, 0))})`, { collated: true }),
  trim: (setting, args) => trimmed(setting, args, 'btrim'),
  ltrim: (setting, args) => trimmed(setting, args, 'ltrim'),
  rtrim: (setting, args) => trimmed(setting, args, 'rtrim'),
  replace: (setting, args) => {
    const [held, from, to] = [textArg(setting, args, 0), textArg(setting, args, 1), textArg(setting, args, 2)];
    return value('text', `replace(${held.sql}, ${from.sql}, ${to.sql})`, { collated: held.collated });
  },
  instr: (setting, args) => value('integer', `strpos(${textArg(setting, args, 0).sql}, ${textArg(setting, args, 1).sql})::bigint`),
  substr: translateSubstr,
  substring: translateSubstr,
  min: (setting, args) => extreme(setting, args, 'least'),
  max: (setting, args) => extreme(setting, args, 'greatest'),
  round: translateRound,
  sign: (setting, args) => value('integer', `sign(${asDouble(numberArg(setting, args, 'sign'))})::bigint`),
  floor: (setting, args) => whole(setting, args, 'floor'),
  ceil: (setting, args) => whole(setting, args, 'ceil'),
  ceiling: (setting, args) => whole(setting, args, 'ceil'),
  trunc: (setting, args) => whole(setting, args, 'trunc'),
  hex: (setting, args) => {
    const held = arg(setting, args, 0);
    const bytes = held.kind === 'blob' ? held.sql : `convert_to(${asText(held).sql}, 'UTF8')`;
    // hex(NULL) is '' in SQLite.
    return value('text', `coalesce(upper(encode(${bytes}, 'hex')), '')`);
  },
  typeof: translateTypeof,
  random: (setting) =>
    volatile(setting, value('integer', `('x' || substr(md5(gen_random_uuid()::text), 1, 16))::bit(64)::bigint`, { small: false })),
  randomblob: (setting, args) => {
    const size = integerArg(setting, args, 0).literal?.value;
    if (typeof size !== 'bigint' || size < 1n || size > RANDOM_BYTES_LIMIT)
      throw new Untranslatable(`randomblob() of more than ${RANDOM_BYTES_LIMIT} bytes`);
    // Two version 4 UUIDs hold 244 random bits of the server's cryptographic generator; SHA-256 spreads them evenly.
    return volatile(
      setting,
      value('blob', `substring(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) from 1 for ${size})`),
    );
  },
  printf: translateFormat,
  format: translateFormat,
  concat: (setting, args) => {
    const parts = args.map((_, at) => `coalesce(${textArg(setting, args, at).sql}, '')`);
    return value('text', `(${parts.join(' || ')})`);
  },
  likely: (setting, args) => arg(setting, args, 0),
  unlikely: (setting, args) => arg(setting, args, 0),
};

const RANDOM_BYTES_LIMIT = 30n;

function volatile(setting: Setting, held: Value): Value {
  if (setting.immutable) throw new Untranslatable('a random value cannot stand in an index or a generated column');
  return held;
}

function translateCoalesce(setting: Setting, args: readonly Expr[]): Value {
  const common = alike(args.map((_, at) => arg(setting, args, at)));
  return common.of(`coalesce(${common.values.map(({ sql }) => sql).join(', ')})`);
}

function translateIif(setting: Setting, args: readonly Expr[]): Value {
  const [test] = args;
  if (test === undefined || args.length > 3) throw new Untranslatable('iif() with several conditions');
  const common = alike([arg(setting, args, 1), ...(args.length > 2 ? [arg(setting, args, 2)] : [])]);
  return common.of(
    `(CASE WHEN ${condition(setting, test)} THEN ${common.values[0]?.sql ?? 'NULL'} ELSE ${common.values[1]?.sql ?? 'NULL'} END)`,
  );
}

function trimmed(setting: Setting, args: readonly Expr[], name: string): Value {
  const held = textArg(setting, args, 0);
  const letters = args.length > 1 ? `, ${textArg(setting, args, 1).sql}` : '';
  return value('text', `${name}(${held.sql}${letters})`, { collated: held.collated });
}

/** Counted from the end where the start is negative (sqlite.org/lang_corefunc.html#substr). */
function translateSubstr(setting: Setting, args: readonly Expr[]): Value {
  const held = textArg(setting, args, 0);
  const start = integerArg(setting, args, 1);
  const sql = args.length < 3 ? suffix(held.sql, start) : section(held.sql, start, integerArg(setting, args, 2));
  return value('text', sql, { collated: held.collated });
}

function suffix(text: string, start: Value): string {
  return bySign(start, {
    positive: (from) => `substr(${text}, ${from})`,
    zero: text,
    negative: (from) => `right(${text}, - ${from})`,
  });
}

function section(text: string, start: Value, count: Value): string {
  const size = count.literal?.value;
  // Before the first character there is nothing, so a negative count gives nothing.
  if (start.literal?.value === 1n && typeof size !== 'bigint')
    return `substr(${text}, 1, ${asInt(`(CASE WHEN ${count.sql} < 0 THEN 0 ELSE ${count.sql} END)`)})`;
  if (typeof size !== 'bigint' || size < 0n) throw new Untranslatable('substr() with a count that may be negative');
  return bySign(start, {
    positive: (from) => `substr(${text}, ${from}, ${size})`,
    // Place 0 is empty and counts as one of them.
    zero: `substr(${text}, 1, ${size > 0n ? size - 1n : 0n})`,
    negative: (from) =>
      `substr(${text}, greatest(length(${text}) + ${from}, 0) + 1, greatest(${size} + least(length(${text}) + ${from}, 0), 0))`,
  });
}

type Signs = { readonly positive: (from: string) => string; readonly zero: string; readonly negative: (from: string) => string };

/** NULL gives NULL: none of the cases holds. */
function bySign(start: Value, { positive, zero, negative }: Signs): string {
  const known = start.literal?.value;
  if (typeof known === 'bigint') return known > 0n ? positive(`${known}`) : known === 0n ? zero : negative(`(${known})`);
  const from = asInt(start.sql);
  return `(CASE WHEN ${start.sql} > 0 THEN ${positive(from)} WHEN ${start.sql} = 0 THEN ${zero} WHEN ${start.sql} < 0 THEN ${negative(from)} END)`;
}

const INT_LIMIT = 2_147_483_647;

/** PostgreSQL counts characters in 32 bits; no text is longer, so greater numbers mean its end. */
function asInt(sql: string): string {
  return `(CASE WHEN ${sql} > ${INT_LIMIT} THEN ${INT_LIMIT} WHEN ${sql} < -${INT_LIMIT} THEN -${INT_LIMIT} ELSE ${sql} END)::int`;
}

/** SQLite’s give NULL if any argument is NULL, PostgreSQL’s leave NULLs out. */
function extreme(setting: Setting, args: readonly Expr[], name: string): Value {
  const held = args.map((_, at) => arg(setting, args, at));
  // SQLite compares them by the first collation there is and shows any one of the equal ones.
  for (const each of held) refuseGrouping(each);
  const common = alike(held);
  const values = common.values.map((each) => (each.kind === 'text' ? withC(each) : each.sql));
  const nulls = values.map((sql) => `${sql} IS NULL`).join(' OR ');
  return { ...common.of(`(CASE WHEN ${nulls} THEN NULL ELSE ${name}(${values.join(', ')}) END)`), collated: true };
}

function translateRound(setting: Setting, args: readonly Expr[]): Value {
  const held = arithmeticOperand(setting, arg(setting, args, 0));
  const digits = args.length > 1 ? integerArg(setting, args, 1).literal?.value : 0n;
  if (typeof digits !== 'bigint' || digits < 0n || digits > 15n)
    throw new Untranslatable('round() to a number of digits that is not known');
  if (held.kind === 'integer') return value('real', asDouble(held));
  const double = asDouble(held);
  // Half away from zero, as SQLite does it; PostgreSQL's round(double) goes to the even neighbour.
  if (digits === 0n) return value('real', `trunc(${double} + CASE WHEN ${double} < 0 THEN -0.5 ELSE 0.5 END)`);
  setting.note(
    'round() to digits: a value exactly half way in decimal may go the other way in its last digit, as SQLite rounds the binary value',
  );
  return value('real', `round((${double})::numeric, ${digits})::double precision`);
}

function whole(setting: Setting, args: readonly Expr[], name: string): Value {
  const held = numberArg(setting, args, name);
  return held.kind === 'integer' ? held : value('real', `${name}(${asDouble(held)})`);
}

function translateTypeof(setting: Setting, args: readonly Expr[]): Value {
  const held = arg(setting, args, 0);
  const names: Partial<Record<Value['kind'], string>> = {
    integer: 'integer',
    truth: 'integer',
    real: 'real',
    text: 'text',
    moment: 'text',
    blob: 'blob',
    null: 'null',
  };
  const name = names[held.kind];
  if (name !== undefined)
    return value('text', `(CASE WHEN ${held.sql} IS NULL THEN 'null' ELSE '${name}' END)`, { looksNumeric: 'never' });
  if (held.kind !== 'number' || !held.classKnown) throw new Untranslatable(`typeof(${held.sql}) differs from row to row`);
  return value(
    'text',
    `(CASE WHEN ${held.sql} IS NULL THEN 'null' WHEN ${held.sql} = trunc(${held.sql}) THEN 'integer' ELSE 'real' END)`,
    { looksNumeric: 'never' },
  );
}

/** `%s` and `%d` with nothing between, `%05d` for numbers that are not negative, `%%`. */
function translateFormat(setting: Setting, args: readonly Expr[]): Value {
  const pattern = arg(setting, args, 0).literal?.value;
  if (typeof pattern !== 'string') throw new Untranslatable('printf() with a format that is not known');
  let next = 1;
  const pieces = pattern
    .split(/(%(?:%|0?\d*[sd]))/)
    .filter((piece) => piece !== '')
    .map((piece) => {
      if (piece === '%%') return quoteText('%');
      if (!piece.startsWith('%')) {
        if (piece.includes('%')) throw new Untranslatable(`printf() with ${piece}`);
        return quoteText(piece);
      }
      const at = next;
      next += 1;
      if (piece === '%s') return `coalesce(${textArg(setting, args, at).sql}, '')`;
      const number = `coalesce(${integerArg(setting, args, at).sql}, 0)`;
      if (piece === '%d') return `(${number})::text`;
      const width = /^%0(\d+)d$/.exec(piece)?.[1];
      if (width === undefined) throw new Untranslatable(`printf() with ${piece}`);
      // Longer numbers stay whole; lpad() alone would cut them. The sign counts as one of the places.
      return `(CASE WHEN ${number} < 0 THEN '-' || lpad((- ${number})::text, greatest(${width} - 1, length((- ${number})::text)), '0') ELSE lpad((${number})::text, greatest(${width}, length((${number})::text)), '0') END)`;
    });
  return value('text', pieces.length === 0 ? `''` : `(${pieces.join(' || ')})`);
}
