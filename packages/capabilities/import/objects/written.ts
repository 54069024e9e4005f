import type { CreateTableStmt, DeferSubclause, Expr, ForeignKeyClause, Name } from 'sqlite3-parser';
import type { SourceCheck, SourceForeignKey } from './model.ts';
import { sameName, textAt, type Parsed } from './sqlite-syntax.ts';

// What only the text of CREATE TABLE tells: no PRAGMA names constraints, collations, CHECKs or ON CONFLICT.

type WrittenColumn = { readonly collation: string | null; readonly generated: string | null };

export function writtenColumn(created: Parsed<CreateTableStmt> | null, name: string): WrittenColumn {
  const body = created?.node.body;
  if (created === null || body?.type !== 'ColumnsAndConstraintsCreateTableBody') return { collation: null, generated: null };
  const constraints = body.columns.find((column) => sameName(column.colName.text, name))?.constraints ?? [];
  let written: WrittenColumn = { collation: null, generated: null };
  for (const { constraint } of constraints) {
    if (constraint.type === 'CollateColumnConstraint')
      written = { ...written, collation: constraint.collationName.text.toUpperCase() };
    if (constraint.type === 'GeneratedColumnConstraint')
      written = { ...written, generated: textAt(created.text, constraint.expr.span) };
  }
  return written;
}

export function declaresAutoincrement(statement: CreateTableStmt): boolean {
  const { body } = statement;
  if (body.type !== 'ColumnsAndConstraintsCreateTableBody') return false;
  const ofColumns = body.columns.flatMap((column) => column.constraints.map(({ constraint }) => constraint));
  const ofTable = (body.constraints ?? []).map(({ constraint }) => constraint);
  return (
    ofColumns.some((constraint) => constraint.type === 'PrimaryKeyColumnConstraint' && constraint.autoIncrement) ||
    ofTable.some((constraint) => constraint.type === 'PrimaryKeyTableConstraint' && constraint.autoIncrement)
  );
}

type WrittenKey = {
  readonly kind: 'primary-key' | 'unique';
  readonly name: string | null;
  readonly columns: readonly string[];
  readonly conflict: string | null;
};

export function writtenKeys(created: Parsed<CreateTableStmt> | null): WrittenKey[] {
  const body = created?.node.body;
  if (body?.type !== 'ColumnsAndConstraintsCreateTableBody') return [];
  const keys: WrittenKey[] = [];
  for (const column of body.columns) {
    for (const { name, constraint } of column.constraints) {
      if (constraint.type !== 'PrimaryKeyColumnConstraint' && constraint.type !== 'UniqueColumnConstraint') continue;
      const kind = constraint.type === 'UniqueColumnConstraint' ? 'unique' : 'primary-key';
      keys.push({ kind, name: name?.text ?? null, columns: [column.colName.text], conflict: constraint.conflictClause ?? null });
    }
  }
  for (const { name, constraint } of body.constraints ?? []) {
    if (constraint.type !== 'PrimaryKeyTableConstraint' && constraint.type !== 'UniqueTableConstraint') continue;
    const kind = constraint.type === 'UniqueTableConstraint' ? 'unique' : 'primary-key';
    const columns = constraint.columns.map((column) => columnNameOf(column.expr));
    keys.push({ kind, name: name?.text ?? null, columns, conflict: constraint.conflictClause ?? null });
  }
  return keys;
}

/** `"a" COLLATE NOCASE` names a; so does the string 'a', which SQLite takes for a name here. */
function columnNameOf(expression: Expr): string {
  if (expression.type === 'CollateExpr') return columnNameOf(expression.expr);
  if (expression.type === 'Id') return expression.name;
  return expression.type === 'StringLiteral' ? expression.value : '';
}

export function writtenChecks(created: Parsed<CreateTableStmt>): SourceCheck[] {
  const { body } = created.node;
  if (body.type !== 'ColumnsAndConstraintsCreateTableBody') return [];
  const ofColumns = body.columns.flatMap((column) =>
    column.constraints.map(({ name, constraint }) => ({ name, constraint, column: column.colName.text })),
  );
  const ofTable = (body.constraints ?? []).map(({ name, constraint }) => ({ name, constraint, column: null }));
  return [...ofColumns, ...ofTable].flatMap(({ name, constraint, column }) =>
    constraint.type === 'CheckColumnConstraint' || constraint.type === 'CheckTableConstraint'
      ? [{ name: name?.text ?? null, expression: textAt(created.text, constraint.expr.span), column }]
      : [],
  );
}

type WrittenForeignKey = Pick<SourceForeignKey, 'name' | 'deferrable' | 'match'>;

export function writtenForeignKeys(created: Parsed<CreateTableStmt> | null): WrittenForeignKey[] {
  const body = created?.node.body;
  if (body?.type !== 'ColumnsAndConstraintsCreateTableBody') return [];
  const keys: WrittenForeignKey[] = [];
  for (const column of body.columns) {
    for (const { name, constraint } of column.constraints) {
      if (constraint.type === 'ForeignKeyColumnConstraint') {
        keys.push(writtenForeignKey(name, constraint));
      } else if (constraint.type === 'DeferColumnConstraint') {
        const last = keys.pop();
        if (last !== undefined) keys.push({ ...last, deferrable: deferrabilityOf(constraint.clause) });
      }
    }
  }
  for (const { name, constraint } of body.constraints ?? []) {
    if (constraint.type === 'ForeignKeyTableConstraint') keys.push(writtenForeignKey(name, constraint));
  }
  return keys;
}

/** PRAGMA foreign_key_list says NONE whatever MATCH was written. */
function writtenForeignKey(
  name: Name | undefined,
  constraint: { readonly clause: ForeignKeyClause; readonly deferClause: DeferSubclause | undefined },
): WrittenForeignKey {
  const match = constraint.clause.args.find((argument) => argument.type === 'MatchRefArg');
  return {
    name: name?.text ?? null,
    match: match?.name.text.toUpperCase() ?? 'NONE',
    deferrable: deferrabilityOf(constraint.deferClause),
  };
}

/** Only DEFERRABLE INITIALLY DEFERRED defers in SQLite; every other form checks at once (sqlite.org/foreignkeys.html, 4.2). */
function deferrabilityOf(clause: DeferSubclause | undefined): SourceForeignKey['deferrable'] {
  if (clause === undefined || !clause.deferrable) return 'not-deferrable';
  return clause.initDeferred === 'InitiallyDeferred' ? 'initially-deferred' : 'initially-immediate';
}
