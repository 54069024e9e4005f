import { quoteName } from '@safekeep/postgres';
import type {
  As,
  CommonTableExpr,
  Expr,
  FromClause,
  JoinedSelectTable,
  OneSelect,
  ResultColumn,
  Select,
  SelectFrom,
  SelectTable,
  SortedColumn,
} from 'sqlite3-parser';
import { shortenName } from '../names.ts';
import { foldName, sameName, textAt } from '../sqlite-syntax.ts';
import { compare, type Notes } from './compare.ts';
import { direction, refuseGrouping, sortable } from './ordering.ts';
import { resolve, type NamedValue, type Scope, type ScopeSource } from './scope.ts';
import { alike, condition, translate, typed, type Setting } from './translate.ts';
import { asNumber, Untranslatable, value, withC, type Value } from './value.ts';

/** A table or view of the target, as FROM can name it. */
export type Relation = { readonly sql: string; readonly columns: readonly RelationColumn[]; readonly rowid: string | null };

/** `name` in SQLite, `target` in PostgreSQL (quoted). */
type RelationColumn = NamedValue & { readonly target: string };

/** The parser's bits of a join (SQLite's JT_ flags); the package exports them as a type only. */
const JOIN = { INNER: 1, NATURAL: 4, LEFT: 8, RIGHT: 16 } as const;

export type QuerySetting = Notes & {
  readonly text: string;
  /** Tables, and the views translated so far; null where there is none of that name. */
  readonly relation: (name: string) => Relation | null;
};

export type Query = { readonly sql: string; readonly columns: readonly NamedValue[] };

type Within = { readonly setting: QuerySetting; readonly outer: Scope | null; readonly ctes: ReadonlyMap<string, Relation> };

export function translateQuery(setting: QuerySetting, select: Select): Query {
  return translateSelect({ setting, outer: null, ctes: new Map() }, select);
}

function translateSelect(within: Within, select: Select): Query {
  const ctes = new Map(within.ctes);
  const definitions = (select.with?.ctes ?? []).map((cte) => translateCte({ ...within, ctes }, cte, ctes));
  const inner: Within = { ...within, ctes };
  const arms = [
    translateArm(inner, select.select),
    ...(select.compounds ?? []).map((compound) => translateArm(inner, compound.select)),
  ];
  const columns = commonColumns(arms);
  const [first] = arms;
  if (first === undefined) throw new Untranslatable('an empty query');
  const words = { Union: 'UNION', UnionAll: 'UNION ALL', Except: 'EXCEPT', Intersect: 'INTERSECT' } as const;
  let body = first.render(columns.map((column) => column.values[0] ?? column.value));
  for (const [at, compound] of (select.compounds ?? []).entries()) {
    const arm = arms[at + 1];
    if (compound.operator !== 'UnionAll')
      for (const column of [...first.columns, ...(arm?.columns ?? [])]) refuseGrouping(column.value);
    // Compounds are evaluated from left to right in SQLite; INTERSECT binds tighter in PostgreSQL.
    body = `${at > 0 ? `(${body})` : body} ${words[compound.operator]} ${arm?.render(columns.map((column) => column.values[at + 1] ?? column.value)) ?? ''}`;
  }
  const named = columns.map(({ name, value: held }) => ({ name, value: held }));
  return {
    sql: [
      definitions.length === 0 ? '' : `WITH ${select.with?.recursive === true ? 'RECURSIVE ' : ''}${definitions.join(', ')} `,
      body,
      orderBy(first, select.orderBy ?? [], { compound: arms.length > 1, columns: named }),
      limitOf(first.setting, select),
    ].join(''),
    columns: named,
  };
}

type CommonColumn = NamedValue & { readonly values: readonly Value[] };

function commonColumns(arms: readonly Arm[]): CommonColumn[] {
  const [first, ...others] = arms;
  if (first === undefined || others.some((arm) => arm.columns.length !== first.columns.length))
    throw new Untranslatable('its parts have different numbers of columns');
  if (others.length === 0)
    return first.columns.map(({ name, value: held }) => ({ name, value: shown(held), values: [typed(shown(held))] }));
  return first.columns.map(({ name }, at) => {
    const common = alike(arms.map((arm) => arm.columns[at]?.value ?? value('null', 'NULL')));
    return { name, value: common.of('?'), values: common.values.map((each) => (each.kind === 'null' ? each : typed(each))) };
  });
}

/** A computed truth value is the 0 or 1 that readers of the view had; a column that became boolean stays one. */
function shown(held: Value): Value {
  return held.kind === 'truth' && held.affinity === null ? asNumber(held) : held;
}

// ---- WITH --------------------------------------------------------------------------------------------------------------

function translateCte(within: Within, cte: CommonTableExpr, ctes: Map<string, Relation>): string {
  const name = shortenName(cte.tblName.text);
  const given = cte.columns?.map((column) => column.colName.text);
  const asRelation = (columns: readonly NamedValue[]): Relation => ({
    sql: quoteName(name),
    columns: asColumns(columns.map((column, at) => ({ ...column, name: given?.[at] ?? column.name }))),
    rowid: null,
  });
  // A recursive query knows itself by the columns of its first part.
  if (cte.select.compounds !== undefined) {
    const start = translateArm(within, cte.select.select);
    ctes.set(
      foldName(cte.tblName.text),
      asRelation(start.columns.map((column) => ({ ...column, value: typed(shown(column.value)) }))),
    );
  }
  const query = translateSelect(within, cte.select);
  const relation = asRelation(query.columns);
  ctes.set(foldName(cte.tblName.text), relation);
  return `${quoteName(name)} (${relation.columns.map(({ target }) => target).join(', ')}) AS (${query.sql})`;
}

// ---- SELECT ------------------------------------------------------------------------------------------------------------

type Arm = {
  readonly columns: readonly NamedValue[];
  readonly setting: Setting;
  readonly distinct: boolean;
  /** The SELECT with these values in place of its result columns. */
  readonly render: (values: readonly Value[]) => string;
};

function translateArm(within: Within, select: OneSelect): Arm {
  return select.type === 'SelectFrom' ? translateSelectFrom(within, select) : translateValues(within, select);
}

function translateValues(within: Within, select: Extract<OneSelect, { readonly type: 'SelectValues' }>): Arm {
  const setting = settingOf(within, { sources: [], aliases: [], outer: within.outer });
  const rows = select.values.map((row) => row.values.map((node) => translate(setting, node)));
  const [first] = rows;
  if (first === undefined || rows.some((row) => row.length !== first.length))
    throw new Untranslatable('its VALUES have rows of different lengths');
  const common = first.map((_, at) => alike(rows.map((row) => row[at] ?? value('null', 'NULL'))));
  const sql = rows.map(
    (row, number) => `(${row.map((_, at) => projected(common[at]?.values[number] ?? value('null', 'NULL'))).join(', ')})`,
  );
  return {
    columns: common.map((each, at) => ({ name: `column${at + 1}`, value: each.of('?') })),
    setting,
    distinct: false,
    render: () => `VALUES ${sql.join(', ')}`,
  };
}

function translateSelectFrom(within: Within, select: SelectFrom): Arm {
  const from = select.from === undefined ? { sql: '', sources: [] } : translateFrom(within, select.from);
  const base = settingOf(within, { sources: from.sources, aliases: [], outer: within.outer });
  const columns = select.columns.flatMap((column) => resultColumns(base, column));
  const aliases = select.columns.flatMap((column) =>
    column.type === 'ExprResultColumn' && column.alias !== undefined
      ? [{ name: column.alias.name.text, value: translate(base, column.expr) }]
      : [],
  );
  const setting = settingOf(within, { sources: from.sources, aliases, outer: within.outer });
  const distinct = select.distinctness === 'Distinct';
  if (distinct) for (const column of columns) refuseGrouping(column.value);
  const clauses = [
    from.sql === '' ? '' : ` FROM ${from.sql}`,
    select.whereClause === undefined ? '' : ` WHERE ${condition(setting, select.whereClause)}`,
    groupBy(setting, select.groupBy ?? [], columns),
    select.having === undefined ? '' : ` HAVING ${condition(setting, select.having)}`,
  ].join('');
  return {
    columns,
    setting,
    distinct,
    render: (values) =>
      `SELECT ${distinct ? 'DISTINCT ' : ''}${values.map((each, at) => `${projected(each)} AS ${quoteName(shortenName(columnAlias(columns, at)))}`).join(', ')}${clauses}`,
  };
}

/** PostgreSQL refuses an empty name; nobody can have used it. */
function columnAlias(columns: readonly NamedValue[], at: number): string {
  const name = columns[at]?.name ?? '';
  return name === '' ? `column_${at + 1}` : name;
}

/** Texts leave with the collation "C", so that whoever sorts or compares them does it as SQLite would. */
function projected(held: Value): string {
  return held.kind === 'text' ? withC(held) : held.sql;
}

function resultColumns(setting: Setting, column: ResultColumn): NamedValue[] {
  if (column.type === 'ExprResultColumn')
    return [{ name: column.alias?.name.text ?? nameOf(setting, column.expr), value: translate(setting, column.expr) }];
  const sources =
    column.type === 'StarResultColumn'
      ? setting.scope.sources
      : setting.scope.sources.filter((source) => sameName(source.name, column.table.text));
  if (sources.length === 0) throw new Untranslatable('* stands for nothing');
  return sources.flatMap((source) =>
    source.columns.filter(({ name }) => column.type === 'TableStarResultColumn' || !source.merged.has(name)),
  );
}

/** SQLite names a result after its column, else after its own text. */
function nameOf(setting: Setting, node: Expr): string {
  if (node.type === 'Id') return columnNameIn(setting.scope, node.name);
  if (node.type === 'QualifiedExpr') return columnNameIn(setting.scope, node.column.text);
  return node.type === 'ParenthesizedExpr' && node.exprs[0] !== undefined
    ? nameOf(setting, node.exprs[0])
    : textAt(setting.text, node.span);
}

function columnNameIn(scope: Scope, name: string): string {
  return scope.sources.flatMap((source) => source.columns).find((column) => sameName(column.name, name))?.name ?? name;
}

function groupBy(setting: Setting, nodes: readonly Expr[], columns: readonly NamedValue[]): string {
  if (nodes.length === 0) return '';
  const keys = nodes.map((node) => {
    const held = (node.type === 'NumericLiteral' ? columns[Number(node.value) - 1]?.value : undefined) ?? translate(setting, node);
    refuseGrouping(held);
    return held.sql;
  });
  return ` GROUP BY ${keys.join(', ')}`;
}

// ---- ORDER BY and LIMIT ------------------------------------------------------------------------------------------------

type Ordered = { readonly compound: boolean; readonly columns: readonly NamedValue[] };

function orderBy(arm: Arm, terms: readonly SortedColumn[], ordered: Ordered): string {
  if (terms.length === 0) return '';
  return ` ORDER BY ${terms.map((term) => orderTerm(arm, term, ordered)).join(', ')}`;
}

function orderTerm(arm: Arm, term: SortedColumn, { compound, columns }: Ordered): string {
  const { setting } = arm;
  const collated = term.expr.type === 'CollateExpr' ? term.expr : null;
  const node = collated?.expr ?? term.expr;
  const at = resultOf(setting, node, arm.columns);
  const held = at === null ? null : (columns[at]?.value ?? null);
  const plain = held !== null && collated === null && (held.kind !== 'text' || (held.collation ?? 'BINARY') === 'BINARY');
  // The result's number stands for it: its texts carry the collation "C" already.
  if (at !== null && plain) {
    sortable(held);
    return `${at + 1}${direction(term)}`;
  }
  if (compound || arm.distinct) throw new Untranslatable('it sorts a UNION or DISTINCT by something other than its columns');
  const key =
    held === null || at === null
      ? translate(setting, term.expr)
      : { ...(arm.columns[at]?.value ?? held), ...(collated === null ? {} : { collation: collated.collation.toUpperCase() }) };
  return `${sortable(key)}${direction(term)}`;
}

/** A number or a name of ORDER BY that means a result column: by its place, its alias, or the same expression. */
function resultOf(setting: Setting, node: Expr, columns: readonly NamedValue[]): number | null {
  if (node.type === 'NumericLiteral' && /^\d+$/.test(node.value)) return Number(node.value) - 1;
  if (node.type === 'Id') {
    const at = columns.findIndex((column) => sameName(column.name, node.name));
    if (at >= 0) return at;
  }
  if (node.type !== 'Id' && node.type !== 'QualifiedExpr') return null;
  const sought =
    node.type === 'QualifiedExpr'
      ? resolve(setting.scope, node.column.text, node.table.text)
      : resolve(setting.scope, node.name, null);
  const at = columns.findIndex((column) => sought !== null && column.value.sql === sought.sql);
  return at < 0 ? null : at;
}

function limitOf(setting: Setting, select: Select): string {
  if (select.limit === undefined) return '';
  const limit = translate(setting, select.limit.expr);
  const offset = select.limit.offset === undefined ? null : translate(setting, select.limit.offset);
  const [count, skipped] = [limit.literal?.value, offset?.literal?.value ?? 0n];
  if (typeof count !== 'bigint' || typeof skipped !== 'bigint') throw new Untranslatable('its LIMIT is not a known number');
  // A negative limit is none, a negative offset is 0.
  return `${count < 0n ? '' : ` LIMIT ${count}`}${skipped > 0n ? ` OFFSET ${skipped}` : ''}`;
}

// ---- FROM --------------------------------------------------------------------------------------------------------------

type Joined = { readonly sql: string; readonly sources: readonly ScopeSource[] };

function settingOf(within: Within, scope: Scope): Setting {
  return {
    note: within.setting.note,
    scope,
    text: within.setting.text,
    immutable: false,
    subquery: (select, outer) => translateSelect({ ...within, outer }, select),
  };
}

function translateFrom(within: Within, from: FromClause): Joined {
  if (from.select === undefined) throw new Untranslatable('an empty FROM');
  let joined = translateSource(within, from.select);
  for (const join of from.joins ?? []) joined = translateJoin(within, joined, join);
  return joined;
}

function translateSource(within: Within, source: SelectTable): Joined {
  switch (source.type) {
    case 'TableSelectTable': {
      if (source.tblName.dbName !== undefined && !sameName(source.tblName.dbName.text, 'main'))
        throw new Untranslatable('it reads another database');
      const name = source.tblName.objName.text;
      const relation = within.ctes.get(foldName(name)) ?? within.setting.relation(name);
      if (relation === null) throw new Untranslatable(`it reads ${name}, which was not brought over`);
      return named(relation, aliasOf(source.alias) ?? name);
    }
    case 'SelectSelectTable': {
      // A subquery in FROM sees nothing of the query around it.
      const query = translateSelect({ ...within, outer: null }, source.select);
      return named({ sql: `(${query.sql})`, columns: asColumns(query.columns), rowid: null }, aliasOf(source.alias) ?? 'subquery');
    }
    case 'SubSelectTable': {
      const inner = translateFrom(within, source.from);
      if (source.alias !== undefined) throw new Untranslatable('it gives a name to a join in parentheses');
      return { sql: `(${inner.sql})`, sources: inner.sources };
    }
    default:
      throw new Untranslatable(`it reads the table-valued function ${source.tblName.objName.text}()`);
  }
}

function aliasOf(alias: As | undefined): string | null {
  return alias?.name.text ?? null;
}

/** Columns are always written with the name of their source, so that nothing depends on how names are looked up. */
function named(relation: Relation, name: string): Joined {
  const alias = quoteName(shortenName(name === '' ? 'nameless' : name));
  const columns = relation.columns.map((column) => ({
    name: column.name,
    value: renamed(column.value, `${alias}.${column.target}`),
  }));
  return { sql: `${relation.sql} AS ${alias}`, sources: [{ name, columns, rowid: relation.rowid, merged: new Set() }] };
}

/** Columns of a subquery stand under the names its SELECT gave them. */
function asColumns(columns: readonly NamedValue[]): RelationColumn[] {
  return columns.map((column, at) => ({ ...column, target: quoteName(shortenName(columnAlias(columns, at))) }));
}

/** The same value under another SQL. A moment's other forms are written with its SQL; those of other values are gone. */
export function renamed(held: Value, sql: string): Value {
  const moved = (form: string | null): string | null =>
    held.kind === 'moment' ? (form?.replaceAll(held.sql, () => sql) ?? null) : null;
  return {
    ...held,
    sql,
    literal: null,
    textForm: moved(held.textForm),
    instant: moved(held.instant),
    collated: held.kind === 'text' || held.collated,
  };
}

function translateJoin(within: Within, left: Joined, join: JoinedSelectTable): Joined {
  const right = translateSource(within, join.table);
  const flags = join.operator.type === 'TypedJoinJoinOperator' ? (join.operator.joinType ?? JOIN.INNER) : JOIN.INNER;
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const merged = mergedColumns(left, right, {
    natural: has(JOIN.NATURAL),
    using: join.constraint?.type === 'UsingJoinConstraint' ? join.constraint.columns.map(({ text }) => text) : [],
  });
  if (merged.length > 0 && has(JOIN.RIGHT)) throw new Untranslatable('a RIGHT or FULL JOIN by USING merges columns in its own way');
  const sources = [...left.sources, ...right.sources.map((source) => ({ ...source, merged: new Set(merged) }))];
  const setting = settingOf(within, { sources: [...left.sources, ...right.sources], aliases: [], outer: within.outer });
  const tests = [
    ...merged.map((name) => compare(setting, '=', { left: columnOf(left, name), right: columnOf(right, name) }).sql),
    ...(join.constraint?.type === 'OnJoinConstraint' ? [condition(setting, join.constraint.expr)] : []),
  ];
  const outer =
    has(JOIN.LEFT) && has(JOIN.RIGHT) ? 'FULL JOIN' : has(JOIN.LEFT) ? 'LEFT JOIN' : has(JOIN.RIGHT) ? 'RIGHT JOIN' : null;
  if (outer === null && tests.length === 0) return { sql: `${left.sql} CROSS JOIN ${right.sql}`, sources };
  return { sql: `${left.sql} ${outer ?? 'JOIN'} ${right.sql} ON ${tests.length === 0 ? 'TRUE' : tests.join(' AND ')}`, sources };
}

function mergedColumns(
  left: Joined,
  right: Joined,
  by: { readonly natural: boolean; readonly using: readonly string[] },
): string[] {
  const names = right.sources.flatMap((source) => source.columns.map(({ name }) => name));
  const isLeft = (name: string): boolean =>
    left.sources.some((source) => source.columns.some((column) => sameName(column.name, name)));
  if (by.natural) return names.filter(isLeft);
  return by.using.map((name) => names.find((other) => sameName(other, name)) ?? name);
}

function columnOf(joined: Joined, name: string): Value {
  const found = resolve({ sources: joined.sources, aliases: [], outer: null }, name, null);
  if (found === null) throw new Untranslatable(`there is no column ${name} to join by`);
  return found;
}
