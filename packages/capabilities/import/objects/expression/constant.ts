import { DatabaseSync } from 'node:sqlite';
import type { Expr } from 'sqlite3-parser';
import { foldName } from '../sqlite-syntax.ts';
import { Untranslatable, type Literal } from './value.ts';

/** Functions of SQLite whose result depends on their arguments alone. Dates do unless they say 'now', see below. */
const PURE_FUNCTIONS: ReadonlySet<string> = new Set([
  'abs',
  'char',
  'coalesce',
  'format',
  'hex',
  'ifnull',
  'iif',
  'instr',
  'length',
  'lower',
  'ltrim',
  'max',
  'min',
  'nullif',
  'printf',
  'quote',
  'replace',
  'round',
  'rtrim',
  'sign',
  'substr',
  'substring',
  'trim',
  'typeof',
  'unhex',
  'unicode',
  'upper',
]);
const DATE_FUNCTIONS: ReadonlySet<string> = new Set(['date', 'time', 'datetime', 'julianday', 'strftime', 'unixepoch']);
const CLOCK_WORDS: ReadonlySet<string> = new Set(['now', 'localtime', 'utc', 'auto', 'subsec', 'subsecond']);

/** Whether SQLite gives the same value whenever it is asked. */
export function isConstant(node: Expr): boolean {
  switch (node.type) {
    case 'NumericLiteral':
    case 'StringLiteral':
    case 'BlobLiteral':
    case 'NullLiteral':
      return true;
    case 'UnaryExpr':
      return isConstant(node.expr);
    case 'BinaryExpr':
      return isConstant(node.left) && isConstant(node.right);
    case 'ParenthesizedExpr':
      return node.exprs.length === 1 && node.exprs.every(isConstant);
    case 'FunctionCallExpr':
      return (
        isConstantCall(foldName(node.name.name), node.args ?? []) &&
        node.filterOver === undefined &&
        node.distinctness === undefined
      );
    default:
      return false;
  }
}

function isConstantCall(name: string, args: readonly Expr[]): boolean {
  if (!args.every(isConstant)) return false;
  if (PURE_FUNCTIONS.has(name)) return args.length > 0;
  if (!DATE_FUNCTIONS.has(name)) return false;
  // Without a time value they mean now: `date()`, `strftime('%Y')`.
  return (
    args.length > (name === 'strftime' ? 1 : 0) &&
    !args.some((arg) => arg.type === 'StringLiteral' && CLOCK_WORDS.has(foldName(arg.value).trim()))
  );
}

export function quoteForSqlite(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** What SQLite itself makes of a constant expression: nobody knows its rules better. */
export function evaluate(expression: string): Literal {
  return ask((database) => {
    const statement = database.prepare(`SELECT (${expression}\n) AS value`);
    statement.setReadBigInts(true);
    return statement.get()?.['value'] ?? null;
  });
}

/** What a row made by INSERT … DEFAULT VALUES holds: the constant after the column's affinity. */
export function evaluateDefault(declaredType: string, expression: string): Literal {
  return ask((database) => {
    const type = declaredType === '' ? '' : `"${declaredType.replaceAll('"', '""')}"`;
    database.exec(`CREATE TABLE held (value ${type} DEFAULT (${expression}\n)); INSERT INTO held DEFAULT VALUES`);
    const statement = database.prepare('SELECT value FROM held');
    statement.setReadBigInts(true);
    return statement.get()?.['value'] ?? null;
  });
}

/** printf('%999999999d', 1) is a constant too. Nobody writes one of this size by hand. */
const CONSTANT_BYTES_LIMIT = 1_000_000;

function ask(question: (database: DatabaseSync) => Literal): Literal {
  using database = new DatabaseSync(':memory:', {
    enableDoubleQuotedStringLiterals: true,
    limits: { length: CONSTANT_BYTES_LIMIT },
  });
  try {
    return question(database);
  } catch (error) {
    if (error instanceof Error && 'errcode' in error)
      throw new Untranslatable(`SQLite cannot compute it: ${error.message}`, { cause: error });
    throw error;
  }
}
