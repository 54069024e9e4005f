import { quoteName, quoteText } from '@safekeep/postgres';
import { decisionOf, quotedColumn, quotedColumns, targetOf, typeOf, type Translation } from './context.ts';
import type { IndexPart, KeyConstraint, SourceTable } from './model.ts';
import { changed, combine, migrated, notMigrated, remarked, type Finding } from './report.ts';

const BUILT_IN_COLLATIONS: ReadonlySet<string> = new Set(['BINARY', 'NOCASE', 'RTRIM']);

/** The columns that are a key of their table in PostgreSQL, so that a foreign key may point at them. */
export type TargetKeys = {
  readonly add: (table: SourceTable, columns: readonly string[]) => void;
  readonly has: (table: SourceTable, columns: readonly string[]) => boolean;
};

export function newTargetKeys(): TargetKeys {
  const keys = new Set<string>();
  const keyOf = (table: SourceTable, columns: readonly string[]): string => JSON.stringify([table.name, columns.toSorted()]);
  return {
    add: (table, columns) => void keys.add(keyOf(table, columns)),
    has: (table, columns) => keys.has(keyOf(table, columns)),
  };
}

export function translateKeys(context: Translation, table: SourceTable, keys: TargetKeys): void {
  if (table.primaryKey !== null) translateKey(context, table, { key: table.primaryKey, kind: 'primary-key', keys });
  for (const key of table.uniques) translateKey(context, table, { key, kind: 'unique', keys });
  if (table.rowidAlias !== null) translateIdentity(context, table, table.rowidAlias);
}

type KeyToTranslate = { readonly key: KeyConstraint; readonly kind: 'primary-key' | 'unique'; readonly keys: TargetKeys };

function translateKey(context: Translation, table: SourceTable, { key, kind, keys }: KeyToTranslate): void {
  const words = kind === 'primary-key' ? 'PRIMARY KEY' : 'UNIQUE';
  const name = `${table.name}.${words} (${key.columns.join(', ')})`;
  const parts = table.indexes.find((index) => index.name === key.index)?.parts ?? [];
  const foreign = parts.find((part) => !BUILT_IN_COLLATIONS.has(part.collation));
  if (foreign !== undefined) {
    context.inventory.add(
      kind,
      name,
      notMigrated(`it compares by the collation ${foreign.collation}, which only the application knows`),
    );
    return;
  }
  const nullable = kind === 'primary-key' && key.columns.some((column) => decisionOf(context, table, column).facts.nulls > 0);
  const folding = parts.filter((part) => isFolding(context, table, part));
  const object = context.inventory.add(
    kind,
    name,
    combine([keyFinding(table, { key, kind, keys }, nullable), folding.length > 0 ? changed(foldingReason(folding)) : migrated]),
  );
  keys.add(table, key.columns);
  const suffix = kind === 'primary-key' ? 'pkey' : `${key.columns.join('_')}_key`;
  const constraint = context.names.index('constraint', name, key.name ?? `${table.name}_${suffix}`);
  context.statements.push({
    kind,
    table: context.names.table(table.name),
    sql: `ALTER TABLE ${targetOf(context, table)} ADD CONSTRAINT ${quoteName(constraint)} ${nullable ? 'UNIQUE' : words} (${quotedColumns(context, table, key.columns)})`,
    object,
    parallel: true,
    violated: null,
  });
  if (folding.length > 0) addFoldingIndex(context, table, { parts, constraint, object });
}

function keyFinding(table: SourceTable, { key, kind }: KeyToTranslate, nullable: boolean): Finding {
  const conflict =
    key.conflict === null || key.conflict === 'Abort'
      ? migrated
      : changed(
          `ON CONFLICT ${key.conflict.toUpperCase()} has no equal on a constraint: a statement that violates it fails (use INSERT … ON CONFLICT)`,
        );
  if (kind === 'unique') return conflict;
  if (nullable) return combine([conflict, changed('SQLite let NULLs into this primary key, so it is UNIQUE here')]);
  const mayBeNull =
    key.index !== null &&
    !table.withoutRowid &&
    !table.strict &&
    key.columns.some((column) => table.columns.some((other) => other.name === column && !other.notNull));
  return combine([conflict, mayBeNull ? remarked('SQLite would also have taken NULLs here; there are none') : migrated]);
}

/** NOCASE and RTRIM matter for texts only. */
export function isFolding(context: Translation, table: SourceTable, part: IndexPart): boolean {
  if (part.collation !== 'NOCASE' && part.collation !== 'RTRIM') return false;
  return part.column === null || typeOf(context, table, part.column) === 'text';
}

export function foldingReason(parts: readonly IndexPart[]): string {
  const nocase = parts.some((part) => part.collation === 'NOCASE');
  return nocase
    ? 'NOCASE is kept by a unique index over lower(), which folds ASCII letters only, as SQLite does; queries must compare lower() too'
    : 'RTRIM is kept by a unique index over rtrim(); queries must compare rtrim() too';
}

/** lower() over a "C" column folds A-Z only, exactly what NOCASE does; rtrim() cuts blanks, exactly what RTRIM does. */
export function folded(sql: string, collation: string): string {
  if (collation === 'NOCASE') return `lower(${sql})`;
  return collation === 'RTRIM' ? `rtrim(${sql})` : sql;
}

function addFoldingIndex(
  context: Translation,
  table: SourceTable,
  key: { readonly parts: readonly IndexPart[]; readonly constraint: string; readonly object: string },
): void {
  const parts = key.parts.map((part) => {
    const column = quotedColumn(context, table, part.column ?? '');
    return isFolding(context, table, part) ? folded(column, part.collation) : column;
  });
  const name = context.names.index('index', `${table.name}.${key.constraint}`, `${key.constraint}_folded`);
  context.statements.push({
    kind: 'index',
    table: context.names.table(table.name),
    sql: `CREATE UNIQUE INDEX ${quoteName(name)} ON ${targetOf(context, table)} (${parts.join(', ')})`,
    object: key.object,
    parallel: true,
    violated: null,
  });
}

// ---- INTEGER PRIMARY KEY -----------------------------------------------------------------------------------------------

function translateIdentity(context: Translation, table: SourceTable, column: string): void {
  const name = `${table.name}.${column}`;
  const type = typeOf(context, table, column);
  if (type !== 'bigint') {
    context.inventory.add('identity', name, notMigrated(`the column became ${type}, and only integers count themselves up`));
    return;
  }
  const object = context.inventory.add(
    'identity',
    name,
    table.autoincrement
      ? migrated
      : remarked('without AUTOINCREMENT SQLite may give out the numbers of deleted rows again; an identity never does'),
  );
  const target = targetOf(context, table);
  const quoted = quotedColumn(context, table, column);
  const statement = { table: context.names.table(table.name), object, parallel: false, violated: null };
  context.statements.push({
    ...statement,
    kind: 'identity',
    sql: `ALTER TABLE ${target} ALTER COLUMN ${quoted} SET NOT NULL, ALTER COLUMN ${quoted} ADD GENERATED BY DEFAULT AS IDENTITY`,
  });
  const sequence = `pg_get_serial_sequence(${quoteText(target)}, ${quoteText(context.names.column(table.name, column))})`;
  const used = `SELECT greatest(coalesce(max(${quoted}), 0), ${table.sequence ?? 0n}) AS number FROM ${target}`;
  context.statements.push({
    ...statement,
    kind: 'sequence',
    // With `false` the next number is the first one itself, which an empty table gives out.
    sql: `SELECT setval(${sequence}, greatest(number, 1), number >= 1) FROM (${used}) AS used`,
  });
}
