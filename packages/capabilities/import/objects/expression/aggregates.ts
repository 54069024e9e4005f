import type { Expr, FunctionCallStarExpr, FunctionTail, Window } from 'sqlite3-parser';
import { quoteText } from '@safekeep/postgres';
import { foldName } from '../sqlite-syntax.ts';
import { arg, integerArg, textArg, type Call } from './arguments.ts';
import { refuseGrouping, sortKey } from './ordering.ts';
import { arithmeticOperand, condition, translate, type Setting } from './translate.ts';
import { asDouble, asNumber, Untranslatable, value, withC, type Value } from './value.ts';

/** The call without FILTER and OVER, and the value that comes of it. */
type Aggregate = (
  setting: Setting,
  args: readonly Expr[],
  parts: { readonly distinct: string; readonly order: string },
) => { readonly call: string; readonly of: (sql: string) => Value };

export const AGGREGATES: Readonly<Record<string, Aggregate>> = {
  count: (setting, args, { distinct }) => {
    const held = args.length === 0 ? null : arg(setting, args, 0);
    if (held !== null && distinct !== '') refuseGrouping(held);
    return { call: `count(${held === null ? '*' : `${distinct}${held.sql}`})`, of: (sql) => value('integer', sql) };
  },
  sum: (setting, args, { distinct }) => {
    const held = arithmeticOperand(setting, arg(setting, args, 0));
    if (held.kind === 'integer') return { call: `sum(${distinct}${held.sql})`, of: (sql) => value('integer', `${sql}::bigint`) };
    return { call: `sum(${distinct}${asDouble(held)})`, of: (sql) => value(held.kind, sql) };
  },
  total: (setting, args, { distinct }) => ({
    call: `sum(${distinct}${asDouble(arithmeticOperand(setting, arg(setting, args, 0)))})`,
    of: (sql) => value('real', `coalesce(${sql}, 0)`),
  }),
  avg: (setting, args, { distinct }) => ({
    call: `avg(${distinct}${asDouble(arithmeticOperand(setting, arg(setting, args, 0)))})`,
    of: (sql) => value('real', sql),
  }),
  min: (setting, args) => extremeOfRows(setting, args, 'min'),
  max: (setting, args) => extremeOfRows(setting, args, 'max'),
  group_concat: concatenated,
  string_agg: concatenated,
};

function concatenated(
  setting: Setting,
  args: readonly Expr[],
  { distinct, order }: { readonly distinct: string; readonly order: string },
): ReturnType<Aggregate> {
  const held = textArg(setting, args, 0);
  const separator = args.length > 1 ? textArg(setting, args, 1).sql : `','`;
  if (distinct !== '') refuseGrouping(held);
  if (order === '') setting.note('the order inside group_concat() is left open by both databases and may differ');
  return {
    call: `string_agg(${distinct}${held.sql}, ${separator}${order})`,
    of: (sql) => value('text', sql, { collated: held.collated }),
  };
}

function extremeOfRows(setting: Setting, args: readonly Expr[], name: string): ReturnType<Aggregate> {
  const held = asNumber(arg(setting, args, 0));
  refuseGrouping(held);
  const sql = held.kind === 'text' ? withC(held) : held.sql;
  if (held.kind === 'opaque' || held.kind === 'blob' || (held.kind === 'moment' && held.shape === null))
    throw new Untranslatable(`${name}(${held.sql}): SQLite’s order of these values is not PostgreSQL’s`);
  return {
    call: `${name}(${sql})`,
    of: (outer) => ({
      ...held,
      sql: outer,
      literal: null,
      affinity: null,
      collation: null,
      textForm: held.shape === null ? null : `to_char(${outer}, ${quoteText(held.shape)})`,
      instant: null,
    }),
  };
}

export function translateAggregate(setting: Setting, call: Call, aggregate: Aggregate): Value {
  const inner = call.orderBy;
  if (inner !== undefined && inner.type !== 'SortListFunctionCallOrder') throw new Untranslatable('WITHIN GROUP');
  const order = inner === undefined ? '' : ` ORDER BY ${inner.columns.map((column) => sortKey(setting, column)).join(', ')}`;
  const { call: sql, of } = aggregate(setting, call.args, { distinct: call.distinctness === 'Distinct' ? 'DISTINCT ' : '', order });
  return of(`${sql}${tail(setting, call.filterOver)}`);
}

export function translateCountAll(setting: Setting, node: FunctionCallStarExpr): Value {
  if (foldName(node.name.name) !== 'count') throw new Untranslatable(`${node.name.name}(*)`);
  return value('integer', `count(*)${tail(setting, node.filterOver)}`);
}

// ---- FILTER and OVER ---------------------------------------------------------------------------------------------------

type Windowed = (setting: Setting, args: readonly Expr[]) => { readonly call: string; readonly of: (sql: string) => Value };

const counting =
  (name: string): Windowed =>
  () => ({ call: `${name}()`, of: (sql) => value('integer', sql) });

export const WINDOW_FUNCTIONS: Readonly<Record<string, Windowed>> = {
  row_number: counting('row_number'),
  rank: counting('rank'),
  dense_rank: counting('dense_rank'),
  first_value: (setting, args) => picked(arg(setting, args, 0), 'first_value', ''),
  last_value: (setting, args) => picked(arg(setting, args, 0), 'last_value', ''),
  lag: (setting, args) => picked(arg(setting, args, 0), 'lag', offsetOf(setting, args)),
  lead: (setting, args) => picked(arg(setting, args, 0), 'lead', offsetOf(setting, args)),
};

function offsetOf(setting: Setting, args: readonly Expr[]): string {
  if (args.length > 2) throw new Untranslatable('lag() or lead() with a value of its own for missing rows');
  return args.length === 2 ? `, (${integerArg(setting, args, 1).sql})::int` : '';
}

function picked(held: Value, name: string, more: string): ReturnType<Windowed> {
  return {
    call: `${name}(${held.sql}${more})`,
    of: (sql) => ({ ...held, sql, literal: null, affinity: null, collation: null, textForm: null, instant: null }),
  };
}

export function translateWindowed(setting: Setting, call: Call, windowed: Windowed): Value {
  const { call: sql, of } = windowed(setting, call.args);
  return of(`${sql}${tail(setting, call.filterOver)}`);
}

function tail(setting: Setting, clause: FunctionTail | undefined): string {
  if (clause === undefined) return '';
  const filter = clause.filterClause === undefined ? '' : ` FILTER (WHERE ${condition(setting, clause.filterClause)})`;
  if (clause.overClause === undefined) return filter;
  if (clause.overClause.type !== 'WindowOver') throw new Untranslatable('it uses a named window');
  return `${filter} OVER (${windowSql(setting, clause.overClause.window)})`;
}

function windowSql(setting: Setting, window: Window): string {
  if (window.base !== undefined) throw new Untranslatable('it uses a named window');
  if (window.frameClause !== undefined) throw new Untranslatable('it uses a window frame');
  const partitions = (window.partitionBy ?? []).map((node) => {
    const held = translate(setting, node);
    refuseGrouping(held);
    return held.sql;
  });
  const order = (window.orderBy ?? []).map((column) => sortKey(setting, column));
  return [
    ...(partitions.length > 0 ? [`PARTITION BY ${partitions.join(', ')}`] : []),
    ...(order.length > 0 ? [`ORDER BY ${order.join(', ')}`] : []),
  ].join(' ');
}
