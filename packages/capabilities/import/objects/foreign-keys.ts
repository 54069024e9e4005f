import { quoteName } from '@safekeep/postgres';
import { findColumn, findTable, quotedColumns, targetOf, typeOf, type Translation } from './context.ts';
import type { TargetKeys } from './keys.ts';
import type { SourceForeignKey, SourceTable } from './model.ts';
import { migrated, notMigrated, remarked } from './report.ts';

export function translateForeignKeys(context: Translation, table: SourceTable, keys: TargetKeys): void {
  for (const key of table.foreignKeys) translateForeignKey(context, table, { key, keys });
}

function translateForeignKey(
  context: Translation,
  table: SourceTable,
  { key, keys }: { readonly key: SourceForeignKey; readonly keys: TargetKeys },
): void {
  const name = `${table.name}.FOREIGN KEY (${key.columns.join(', ')})`;
  const parent = findTable(context.source, key.parentTable);
  const obstacle = obstacleTo(context, { table, key, keys, parent });
  if (obstacle !== null || parent === undefined) {
    context.inventory.add('foreign-key', name, notMigrated(obstacle ?? 'its parent table is missing'));
    return;
  }
  const fullMatch = key.match === 'FULL' || key.match === 'PARTIAL';
  const object = context.inventory.add(
    'foreign-key',
    name,
    fullMatch ? remarked(`SQLite reads MATCH ${key.match} as SIMPLE, and so does this key`) : migrated,
  );
  const constraint = context.names.constraint(table.name, name, key.name ?? `${table.name}_${key.columns.join('_')}_fkey`);
  const sql = [
    `ALTER TABLE ${targetOf(context, table)} ADD CONSTRAINT ${quoteName(constraint)}`,
    `FOREIGN KEY (${quotedColumns(context, table, key.columns)})`,
    `REFERENCES ${targetOf(context, parent)} (${quotedColumns(context, parent, key.parentColumns)})`,
    `ON UPDATE ${key.onUpdate} ON DELETE ${key.onDelete}${deferral(key)}`,
  ].join(' ');
  context.statements.push({
    kind: 'foreign-key',
    table: context.names.table(table.name),
    sql,
    object,
    // Takes locks on both tables: two at a time could wait for one another.
    parallel: false,
    violated: {
      sql: `${sql} NOT VALID`,
      reason:
        'rows of the source violate it, so it is NOT VALID: it binds new rows, and VALIDATE CONSTRAINT finishes it once the orphans are mended',
    },
  });
}

function deferral(key: SourceForeignKey): string {
  if (key.deferrable === 'not-deferrable') return '';
  return key.deferrable === 'initially-deferred' ? ' DEFERRABLE INITIALLY DEFERRED' : ' DEFERRABLE INITIALLY IMMEDIATE';
}

type Link = {
  readonly table: SourceTable;
  readonly key: SourceForeignKey;
  readonly keys: TargetKeys;
  readonly parent: SourceTable | undefined;
};

/** What SQLite tolerates and PostgreSQL does not; null where nothing stands in the way. */
function obstacleTo(context: Translation, { table, key, keys, parent }: Link): string | null {
  if (parent === undefined) return `its parent table ${key.parentTable} does not exist`;
  if (!parent.loadable) return `its parent ${key.parentTable} is not an ordinary table`;
  if (key.parentColumns.length !== key.columns.length)
    return `it names no columns of ${parent.name}, whose primary key does not fit`;
  const missing = key.parentColumns.find((column) => findColumn(parent, column) === undefined);
  if (missing !== undefined) return `its parent ${parent.name} has no column ${missing}`;
  if (!keys.has(parent, key.parentColumns)) {
    return `${parent.name} (${key.parentColumns.join(', ')}) is neither a primary key nor unique`;
  }
  for (const [at, column] of key.columns.entries()) {
    const [ofChild, ofParent] = [typeOf(context, table, column), typeOf(context, parent, key.parentColumns[at] ?? '')];
    if (ofChild !== ofParent)
      return `${table.name}.${column} is ${ofChild} and ${parent.name}.${key.parentColumns[at] ?? ''} is ${ofParent}`;
  }
  return null;
}
