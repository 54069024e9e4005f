import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { CreateTableStmt } from 'sqlite3-parser';
import { columnAffinity } from './affinity.ts';
import type {
  ForeignKeyAction,
  IndexPart,
  KeyConstraint,
  SourceColumn,
  SourceForeignKey,
  SourceIndex,
  SourceSchema,
  SourceTable,
  TableKind,
} from './model.ts';
import {
  foldName,
  parseCreateIndex,
  parseCreateTable,
  sameName,
  textAt,
  virtualTableArguments,
  type Parsed,
} from './sqlite-syntax.ts';
import { declaresAutoincrement, writtenChecks, writtenColumn, writtenForeignKeys, writtenKeys } from './written.ts';

type Row = Record<string, SQLOutputValue>;

/**
 * Everything the file says about its objects. What PRAGMAs tell is taken from them; only CHECKs, generated columns,
 * expressions, collations and names of constraints are read from the CREATE statements.
 *
 * The database is only read. Runs inside the caller's transaction, if there is one.
 */
export function readSourceSchema(source: DatabaseSync): SourceSchema {
  const listed = rowsOf(source, `select name, type, wr, strict from pragma_table_list where schema = 'main' and type <> 'view'`);
  const statements = readStatements(source);
  const sequences = readSequences(source, listed);
  const tables = listed
    .filter((row) => foldName(text(row, 'name')) !== 'sqlite_schema')
    .map((row) => readTable(source, row, statements, sequences))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1));
  const resolve = parentKeyResolver(tables);
  return {
    tables: tables.map((table) => ({ ...table, foreignKeys: table.foreignKeys.map(resolve) })),
    views: rowsOf(source, `select name, sql from sqlite_schema where type = 'view' order by rowid`).map((row) => {
      const name = text(row, 'name');
      return { name, columns: readViewColumns(source, name), sql: text(row, 'sql') };
    }),
    triggers: rowsOf(source, `select name, tbl_name, sql from sqlite_schema where type = 'trigger' order by rowid`).map((row) => ({
      name: text(row, 'name'),
      table: text(row, 'tbl_name'),
      sql: text(row, 'sql'),
    })),
  };
}

// ---- rows of PRAGMAs ---------------------------------------------------------------------------------------------------

function rowsOf(source: DatabaseSync, sql: string, ...parameters: string[]): Row[] {
  return source.prepare(sql).all(...parameters);
}

function text(row: Row, column: string): string {
  const value = row[column];
  return typeof value === 'string' ? value : '';
}

function optionalText(row: Row, column: string): string | null {
  const value = row[column];
  return typeof value === 'string' ? value : null;
}

function number(row: Row, column: string): number {
  return Number(row[column]);
}

/** CREATE statements of tables and indexes by folded name; automatic indexes have none. */
function readStatements(source: DatabaseSync): ReadonlyMap<string, string> {
  const rows = rowsOf(source, `select name, sql from sqlite_schema where type in ('table', 'index') and sql is not null`);
  return new Map(rows.map((row) => [foldName(text(row, 'name')), text(row, 'sql')]));
}

function readSequences(source: DatabaseSync, listed: readonly Row[]): ReadonlyMap<string, bigint> {
  if (!listed.some((row) => text(row, 'name') === 'sqlite_sequence')) return new Map();
  const statement = source.prepare(`select name, seq from sqlite_sequence where typeof(seq) = 'integer'`);
  statement.setReadBigInts(true);
  return new Map(statement.all().map((row) => [foldName(text(row, 'name')), typeof row['seq'] === 'bigint' ? row['seq'] : 0n]));
}

/** A view over something that is gone cannot be asked for its columns. */
function readViewColumns(source: DatabaseSync, name: string): string[] {
  try {
    return rowsOf(source, `select name from pragma_table_xinfo(?, 'main')`, name).map((row) => text(row, 'name'));
  } catch {
    return [];
  }
}

// ---- tables ------------------------------------------------------------------------------------------------------------

function readTable(
  source: DatabaseSync,
  listed: Row,
  statements: ReadonlyMap<string, string>,
  sequences: ReadonlyMap<string, bigint>,
): SourceTable {
  const name = text(listed, 'name');
  const sql = statements.get(foldName(name)) ?? '';
  const kind = kindOf(name, text(listed, 'type'));
  const virtual = kind === 'virtual' ? virtualTableArguments(sql) : null;
  const created = kind === 'table' ? parseCreateTable(sql) : null;
  const strict = number(listed, 'strict') === 1;
  const columns = readColumns(source, name, { strict, created });
  const withoutRowid = number(listed, 'wr') === 1;
  const indexes = readIndexes(source, name, columns ?? [], statements);
  const keys = indexes.filter((index) => index.origin === 'primary-key');
  const keyColumns = (columns ?? [])
    .filter((column) => column.primaryKeyPosition > 0)
    .toSorted((one, other) => one.primaryKeyPosition - other.primaryKeyPosition)
    .map((column) => column.name);
  const rowidAlias = !withoutRowid && keys.length === 0 && keyColumns.length === 1 ? (keyColumns[0] ?? null) : null;
  return {
    name,
    kind,
    loadable: kind === 'table' || (virtual !== null && columns !== null && hasRowsOfItsOwn(virtual)),
    columns: columns ?? [],
    rowidAlias: kind === 'table' ? rowidAlias : null,
    autoincrement: created !== null && declaresAutoincrement(created.node),
    withoutRowid,
    strict,
    primaryKey: kind === 'table' && keyColumns.length > 0 ? readPrimaryKey(keyColumns, keys[0], created) : null,
    uniques: indexes.filter((index) => index.origin === 'unique').map((index) => readUnique(index, created)),
    checks: created === null ? [] : writtenChecks(created),
    foreignKeys: readForeignKeys(source, name, created),
    indexes: indexes.map((index) => (index.parts.some((part) => part.column === '') ? withRowid(index, rowidAlias) : index)),
    sequence: sequences.get(foldName(name)) ?? null,
    module: virtual?.module ?? null,
    sql,
    unread: kind === 'table' && created === null ? 'its CREATE TABLE statement is not of SQLite’s grammar' : null,
  };
}

function kindOf(name: string, listedType: string): TableKind {
  if (foldName(name).startsWith('sqlite_')) return 'internal';
  if (listedType === 'virtual') return 'virtual';
  return listedType === 'shadow' ? 'shadow' : 'table';
}

/** FTS tables with `content=` index another table's rows or keep none; R*Trees always hold their own. */
function hasRowsOfItsOwn(virtual: { readonly module: string; readonly args: readonly string[] }): boolean {
  if (virtual.module === 'rtree' || virtual.module === 'rtree_i32') return true;
  return /^fts[345]$/.test(virtual.module) && !virtual.args.some((argument) => /^\s*content\s*=/i.test(argument));
}

function readColumns(
  source: DatabaseSync,
  table: string,
  options: { readonly strict: boolean; readonly created: Parsed<CreateTableStmt> | null },
): SourceColumn[] | null {
  const rows = tryRows(
    source,
    `select name, type, "notnull", dflt_value, pk, hidden from pragma_table_xinfo(?, 'main') order by cid`,
    table,
  );
  return (
    rows?.map((row): SourceColumn => {
      const name = text(row, 'name');
      const hidden = number(row, 'hidden');
      const written = writtenColumn(options.created, name);
      return {
        name,
        declaredType: text(row, 'type'),
        affinity: columnAffinity(text(row, 'type'), options.strict),
        notNull: number(row, 'notnull') === 1,
        defaultSql: optionalText(row, 'dflt_value'),
        primaryKeyPosition: number(row, 'pk'),
        // 2 is a virtual, 3 a stored generated column (sqlite.org/pragma.html#pragma_table_xinfo).
        generated: hidden >= 2 ? { storage: hidden === 3 ? 'stored' : 'virtual', expression: written.generated ?? '' } : null,
        hidden: hidden === 1,
        collation: written.collation ?? 'BINARY',
      };
    }) ?? null
  );
}

/** Null where SQLite refuses: a virtual table whose module is not built in cannot be read at all. */
function tryRows(source: DatabaseSync, sql: string, parameter: string): Row[] | null {
  try {
    return rowsOf(source, sql, parameter);
  } catch (error) {
    if (error instanceof Error && error.message.includes('no such module')) return null;
    throw error;
  }
}

// ---- keys ------------------------------------------------------------------------------------------------------------

function readPrimaryKey(
  columns: readonly string[],
  index: SourceIndex | undefined,
  created: Parsed<CreateTableStmt> | null,
): KeyConstraint {
  const written = writtenKeys(created).find((key) => key.kind === 'primary-key');
  return { name: written?.name ?? null, columns, conflict: written?.conflict ?? null, index: index?.name ?? null };
}

function readUnique(index: SourceIndex, created: Parsed<CreateTableStmt> | null): KeyConstraint {
  const columns = index.parts.map((part) => part.column ?? '');
  const written = writtenKeys(created).find(
    (key) =>
      key.kind === 'unique' &&
      key.columns.length === columns.length &&
      key.columns.every((name, at) => sameName(name, columns[at] ?? '')),
  );
  return { name: written?.name ?? null, columns, conflict: written?.conflict ?? null, index: index.name };
}

// ---- indexes -----------------------------------------------------------------------------------------------------------

const ORIGINS = { c: 'create-index', u: 'unique', pk: 'primary-key' } as const;

function readIndexes(
  source: DatabaseSync,
  table: string,
  columns: readonly SourceColumn[],
  statements: ReadonlyMap<string, string>,
): SourceIndex[] {
  const rows = rowsOf(source, `select name, "unique", origin from pragma_index_list(?, 'main') order by seq desc`, table);
  return rows.map((row) => {
    const name = text(row, 'name');
    const sql = statements.get(foldName(name)) ?? null;
    const created = sql === null ? null : parseCreateIndex(sql);
    const origin = text(row, 'origin');
    return {
      name,
      unique: number(row, 'unique') === 1,
      origin: origin === 'u' || origin === 'pk' ? ORIGINS[origin] : ORIGINS.c,
      predicate: created?.node.whereClause === undefined ? null : textAt(created.text, created.node.whereClause.span),
      parts: readIndexParts(source, name, columns, created),
      sql,
    };
  });
}

function readIndexParts(
  source: DatabaseSync,
  index: string,
  columns: readonly SourceColumn[],
  created: ReturnType<typeof parseCreateIndex>,
): IndexPart[] {
  const rows = rowsOf(
    source,
    `select seqno, cid, name, "desc", coll from pragma_index_xinfo(?, 'main') where key = 1 order by seqno`,
    index,
  );
  return rows.map((row): IndexPart => {
    const expression = created?.node.columns[number(row, 'seqno')]?.expr;
    const inner = expression?.type === 'CollateExpr' ? expression.expr : expression;
    // cid -2 is an expression, -1 the rowid under the name of its alias.
    const column = number(row, 'cid') === -2 ? null : (columns[number(row, 'cid')]?.name ?? '');
    return {
      column,
      expression: column === null && created !== null && inner !== undefined ? textAt(created.text, inner.span) : null,
      descending: number(row, 'desc') === 1,
      collation: text(row, 'coll').toUpperCase(),
    };
  });
}

function withRowid(index: SourceIndex, rowidAlias: string | null): SourceIndex {
  return { ...index, parts: index.parts.map((part) => (part.column === '' ? { ...part, column: rowidAlias ?? '' } : part)) };
}

// ---- foreign keys ------------------------------------------------------------------------------------------------------

function readForeignKeys(source: DatabaseSync, table: string, created: Parsed<CreateTableStmt> | null): SourceForeignKey[] {
  const rows = rowsOf(
    source,
    `select id, "table", "from", "to", on_update, on_delete from pragma_foreign_key_list(?, 'main') order by id desc, seq`,
    table,
  );
  // SQLite counts them from the last one written, so by falling ids they stand as in CREATE TABLE.
  const groups = [...Map.groupBy(rows, (row) => number(row, 'id')).values()];
  const written = writtenForeignKeys(created);
  return groups.flatMap((group, at) => {
    const [first] = group;
    if (first === undefined) return [];
    const known = groups.length === written.length ? written[at] : undefined;
    return [
      {
        name: known?.name ?? null,
        columns: group.map((row) => text(row, 'from')),
        parentTable: text(first, 'table'),
        parentColumns: group.flatMap((row) => optionalText(row, 'to') ?? []),
        onUpdate: actionOf(text(first, 'on_update')),
        onDelete: actionOf(text(first, 'on_delete')),
        match: known?.match ?? 'NONE',
        deferrable: known?.deferrable ?? 'not-deferrable',
      },
    ];
  });
}

function actionOf(action: string): ForeignKeyAction {
  if (action === 'RESTRICT' || action === 'SET NULL' || action === 'SET DEFAULT' || action === 'CASCADE') return action;
  return 'NO ACTION';
}

/** Puts the parent's own spelling in, and its primary key where REFERENCES names no columns. */
function parentKeyResolver(tables: readonly SourceTable[]): (key: SourceForeignKey) => SourceForeignKey {
  const byName = new Map(tables.map((table) => [foldName(table.name), table]));
  return (key) => {
    const parent = byName.get(foldName(key.parentTable));
    if (parent === undefined) return key;
    const wanted = key.parentColumns.length > 0 ? key.parentColumns : (parent.primaryKey?.columns ?? []);
    const parentColumns = wanted.map((name) => parent.columns.find((column) => sameName(column.name, name))?.name ?? name);
    return { ...key, parentTable: parent.name, parentColumns: parentColumns.length === key.columns.length ? parentColumns : [] };
  };
}
