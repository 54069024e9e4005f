import type { DatabaseSync } from 'node:sqlite';
import { SafekeepError } from '@safekeep/core';
import type { SourceIndex, SourceSchema, SourceTable } from '../../objects/index.ts';
import { quoteSqlite } from '../../source/quote.ts';
import type { FollowedTable, KeyColumn, SourcePlan } from '../model.ts';
import { isOurs } from '../names.ts';

const BUILT_IN_COLLATIONS: ReadonlySet<string> = new Set(['BINARY', 'NOCASE', 'RTRIM']);
const ROWID_NAMES = ['rowid', '_rowid_', 'oid'] as const;

/** The schema of the application alone, without what following has put there. */
export function withoutOurs(schema: SourceSchema): SourceSchema {
  const theirs = ({ name }: { readonly name: string }): boolean => !isOurs(name);
  return { ...schema, tables: schema.tables.filter(theirs), triggers: schema.triggers.filter(theirs) };
}

/** How every table of the schema is followed. Throws `import-follow-no-key` and names all that cannot be. */
export function planSource(sqlite: DatabaseSync, schema: SourceSchema): SourcePlan {
  const tables: FollowedTable[] = [];
  const refused: string[] = [];
  const notCaught: string[] = [
    'writes of a connection that has switched triggers off (SQLITE_DBCONFIG_ENABLE_TRIGGER) or writes to the file by other means than SQL',
  ];
  for (const table of withoutOurs(schema).tables.filter(({ loadable }) => loadable)) {
    const found = findKey(sqlite, table);
    if (typeof found === 'string') {
      refused.push(`${table.name} (${found})`);
      continue;
    }
    const { replacedBy, unseen } = indexesOfReplace(table, found);
    tables.push({ source: table.name, key: found, replacedBy });
    for (const index of unseen) {
      notCaught.push(
        `${table.name}: a row that REPLACE deletes because of ${index}, unless the writing connection has set PRAGMA recursive_triggers = ON`,
      );
    }
  }
  if (refused.length > 0) throw new SafekeepError('import-follow-no-key', { tables: refused.join(', ') });
  return { tables, notCaught };
}

/** The columns by which a row is found again on both sides; in words why there are none. */
function findKey(sqlite: DatabaseSync, table: SourceTable): readonly KeyColumn[] | string {
  if (table.kind !== 'table') return 'SQLite has no triggers on virtual tables';
  if (table.rowidAlias !== null) return [{ name: table.rowidAlias, collation: 'BINARY' }];
  const candidates = table.indexes
    .filter((index) => index.unique && index.predicate === null)
    .toSorted((one, other) => Number(other.origin === 'primary-key') - Number(one.origin === 'primary-key'));
  if (candidates.length === 0) return 'it has no primary key and nothing unique';
  for (const index of candidates) {
    const columns = keyColumns(index);
    if (columns !== undefined && isNeverNull(sqlite, table, columns)) return columns;
  }
  return 'its keys hold NULL, expressions or collations of the application';
}

/** Undefined for an index with expressions, or with a collation that only the application has. */
function keyColumns(index: SourceIndex): readonly KeyColumn[] | undefined {
  const columns = index.parts.flatMap(({ column, collation }) =>
    column !== null && BUILT_IN_COLLATIONS.has(collation) ? [{ name: column, collation }] : [],
  );
  return columns.length === index.parts.length ? columns : undefined;
}

/** A primary key may hold NULL in SQLite, and often does where nobody meant it to. */
function isNeverNull(sqlite: DatabaseSync, table: SourceTable, key: readonly KeyColumn[]): boolean {
  const declared = new Map(
    table.columns.map((column) => [column.name, column.notNull || (table.withoutRowid && column.primaryKeyPosition > 0)]),
  );
  if (key.every(({ name }) => declared.get(name) === true)) return true;
  const isNull = key.map(({ name }) => `${quoteSqlite(name)} IS NULL`).join(' OR ');
  return sqlite.prepare(`SELECT 1 FROM ${quoteSqlite(table.name)} WHERE ${isNull} LIMIT 1`).get() === undefined;
}

/**
 * REPLACE deletes the rows in the way of a new one, and delete triggers see that only with recursive_triggers on. Their keys
 * are logged beforehand instead, whoever writes: by looking them up in each unique index but the key itself.
 */
function indexesOfReplace(
  table: SourceTable,
  key: readonly KeyColumn[],
): { readonly replacedBy: readonly (readonly KeyColumn[])[]; readonly unseen: readonly string[] } {
  const replacedBy: (readonly KeyColumn[])[] = [];
  const unseen: string[] = [];
  for (const index of table.indexes.filter(({ unique }) => unique)) {
    const columns = keyColumns(index);
    if (columns === undefined) unseen.push(`the unique index ${index.name}`);
    else if (!isSameKey(columns, key) || !comparesExactly(table, columns)) replacedBy.push(columns);
  }
  // INSERT may name a rowid that another row has, though its key is another.
  const rowid = ROWID_NAMES.find((name) => table.columns.every((column) => column.name.toLowerCase() !== name));
  if (!table.withoutRowid && table.rowidAlias === null && rowid !== undefined)
    replacedBy.push([{ name: rowid, collation: 'BINARY' }]);
  return { replacedBy, unseen };
}

function isSameKey(one: readonly KeyColumn[], other: readonly KeyColumn[]): boolean {
  return one.length === other.length && one.every(({ name }, at) => name === other[at]?.name);
}

/** Whether equal for the index means the very same value: 'a' is 'A' under NOCASE, and 1 is 1.0 in a column without affinity. */
function comparesExactly(table: SourceTable, columns: readonly KeyColumn[]): boolean {
  return columns.every(
    ({ name, collation }) => collation === 'BINARY' && table.columns.find((column) => column.name === name)?.affinity !== 'blob',
  );
}
