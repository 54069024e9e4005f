import { sameName } from '../sqlite-syntax.ts';
import { Untranslatable, type Value } from './value.ts';

export type NamedValue = { readonly name: string; readonly value: Value };

/** One table, view or subquery of a FROM clause. */
export type ScopeSource = {
  /** The name that may stand before a column. */
  readonly name: string;
  readonly columns: readonly NamedValue[];
  /** The column that is the rowid, where there is one. */
  readonly rowid: string | null;
  /** Columns that USING or NATURAL merged into those of a source to the left. */
  readonly merged: ReadonlySet<string>;
};

export type Scope = {
  readonly sources: readonly ScopeSource[];
  /** Names given by AS in the result, which SQLite lets WHERE, GROUP BY and ORDER BY use. */
  readonly aliases: readonly NamedValue[];
  readonly outer: Scope | null;
};

const ROWID_NAMES: ReadonlySet<string> = new Set(['rowid', 'oid', '_rowid_']);

export function resolve(scope: Scope, name: string, table: string | null): Value | null {
  for (let at: Scope | null = scope; at !== null; at = at.outer) {
    const found = resolveIn(at, name, table);
    if (found !== null) return found;
  }
  return null;
}

function resolveIn(scope: Scope, name: string, table: string | null): Value | null {
  const sources = scope.sources.filter((source) => table === null || sameName(source.name, table));
  const matches = sources.flatMap((source) => {
    const column = source.columns.find((candidate) => sameName(candidate.name, name));
    const merged = table === null && [...source.merged].some((other) => sameName(other, name));
    return column === undefined || merged ? [] : [column.value];
  });
  if (matches.length > 1) throw new Untranslatable(`the column ${name} is ambiguous`);
  const [match] = matches;
  if (match !== undefined) return match;
  if (ROWID_NAMES.has(name.toLowerCase()) && sources.length === 1) return rowidOf(sources);
  return table === null ? (scope.aliases.find((alias) => sameName(alias.name, name))?.value ?? null) : null;
}

function rowidOf([source]: readonly ScopeSource[]): Value | null {
  if (source === undefined) return null;
  const column = source.columns.find((candidate) => candidate.name === source.rowid);
  if (column === undefined) throw new Untranslatable(`it uses the rowid of ${source.name}, which has no column of its own`);
  return column.value;
}
