import {
  parseStmt,
  type CreateIndexStmt,
  type CreateTableStmt,
  type CreateViewStmt,
  type Expr,
  type Span,
  type Stmt,
} from 'sqlite3-parser';

/** A parsed piece of SQLite's SQL together with its text, which alone tells `"x"` from `x`. */
export type Parsed<Node> = { readonly node: Node; readonly text: string };

/** SQLite folds the case of names in ASCII only: `É` and `é` are two columns. */
export function foldName(name: string): string {
  return name.replaceAll(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
}

export function sameName(one: string, other: string): boolean {
  return foldName(one) === foldName(other);
}

export function textAt(source: string, span: Span): string {
  return source.slice(span.offset, span.offset + span.length);
}

/** Null where the text is not of SQLite's grammar, which an application may have written with writable_schema. */
function parseStatement(text: string): Stmt | null {
  const result = parseStmt(text);
  return result.status === 'ok' ? result.root : null;
}

export function parseCreateTable(text: string): Parsed<CreateTableStmt> | null {
  const node = parseStatement(text);
  return node?.type === 'CreateTableStmt' ? { node, text } : null;
}

export function parseCreateIndex(text: string): Parsed<CreateIndexStmt> | null {
  const node = parseStatement(text);
  return node?.type === 'CreateIndexStmt' ? { node, text } : null;
}

export function parseCreateView(text: string): Parsed<CreateViewStmt> | null {
  const node = parseStatement(text);
  return node?.type === 'CreateViewStmt' ? { node, text } : null;
}

/** The module's arguments of a virtual table, as written. */
export function virtualTableArguments(text: string): { readonly module: string; readonly args: readonly string[] } | null {
  const node = parseStatement(text);
  if (node?.type !== 'CreateVirtualTableStmt') return null;
  return { module: foldName(node.moduleName.text), args: node.args ?? [] };
}

export function parseExpression(expression: string): Parsed<Expr> | null {
  // The line break ends a comment that the text may end with.
  const text = `SELECT (${expression}\n)`;
  const node = parseStatement(text);
  if (node?.type !== 'SelectStmt' || node.body.select.type !== 'SelectFrom') return null;
  const [column, ...others] = node.body.select.columns;
  if (others.length > 0 || column?.type !== 'ExprResultColumn' || column.expr.type !== 'ParenthesizedExpr') return null;
  const [inner, ...rest] = column.expr.exprs;
  return inner === undefined || rest.length > 0 ? null : { node: inner, text };
}
