import { quoteName, quoteTable } from '@safekeep/postgres';
import { decisionOf, quotedColumn, targetOf, type Translation } from './context.ts';
import { conditionFor, defaultFor, generatedFor, type Translated } from './expression/constraints.ts';
import type { SourceCheck, SourceColumn, SourceTable, TargetColumn, TargetTable, TargetType } from './model.ts';
import { changed, combine, migrated, notMigrated, remarked, type Finding } from './report.ts';

const BUILT_IN_COLLATIONS: ReadonlySet<string> = new Set(['BINARY', 'NOCASE', 'RTRIM']);

/** The most columns a PostgreSQL table can have (manual, appendix K). */
export const COLUMNS_LIMIT = 1_600;

export function translateTable(context: Translation, table: SourceTable): TargetTable {
  const name = context.names.table(table.name);
  const object = context.inventory.add(
    table.kind === 'virtual' ? 'virtual-table' : 'table',
    table.name,
    tableFinding(context, table, name),
    table.kind === 'virtual' ? table.sql : null,
  );
  const columns = table.columns.filter((column) => !column.hidden).map((column) => translateColumn(context, table, column));
  for (const check of table.checks) translateCheck(context, table, check);
  return { source: table.name, name, columns, object };
}

function tableFinding(context: Translation, table: SourceTable, name: string): Finding {
  const renamed = name === table.name ? migrated : changed(`named ${name} in PostgreSQL`);
  const unread =
    table.unread === null ? migrated : changed(`its CHECKs, collations and generated columns could not be read: ${table.unread}`);
  return combine([renamed, unread, table.kind === 'virtual' ? virtualFinding(context, table) : migrated]);
}

/** The rows come over as those of an ordinary table; what the module added is proposed. */
function virtualFinding(context: Translation, table: SourceTable): Finding {
  // Without the schema: the tables are built in one that is renamed at the end.
  const target = quoteName(context.names.table(table.name));
  if (table.module?.startsWith('rtree') === true) {
    return changed('its boxes are ordinary columns now; for the same searches add a GiST index over box(point(…), point(…))');
  }
  const words = table.columns
    .filter((column) => !column.hidden)
    .map((column) => `coalesce(${quotedColumn(context, table, column.name)}, '')`);
  return changed(
    `its rows are those of an ordinary table now; for full-text search: ALTER TABLE ${target} ADD COLUMN search tsvector ` +
      `GENERATED ALWAYS AS (to_tsvector('simple', ${words.join(` || ' ' || `)})) STORED; CREATE INDEX ON ${target} USING gin (search)`,
  );
}

/** CREATE TABLE as planned; `plain` makes generated columns ordinary ones, to be loaded like the others. */
export function createTableSql(schema: string, table: TargetTable, options: { readonly plain?: boolean } = {}): string {
  const definitions = table.columns.map((column) => (options.plain === true ? column.plainDefinition : column.definition));
  return `CREATE TABLE ${quoteTable({ schema, table: table.name })} (\n  ${definitions.join(',\n  ')}\n)`;
}

// ---- columns -----------------------------------------------------------------------------------------------------------

function translateColumn(context: Translation, table: SourceTable, column: SourceColumn): TargetColumn {
  const decision = decisionOf(context, table, column.name);
  const name = context.names.column(table.name, column.name);
  const generated = column.generated === null ? null : generatedFor(context, table, column);
  const storage = generatedStorage(context, table, column);
  const object = context.inventory.add(
    'column',
    `${table.name}.${column.name}`,
    combine([
      name === column.name ? migrated : changed(`named ${name} in PostgreSQL`),
      decision.changed === null ? migrated : changed(decision.changed),
      collationFinding(column, decision.type),
      generated === null ? migrated : generatedFinding(column, generated, storage),
    ]),
  );
  const notNull = translateNotNull(context, table, column);
  const plain = `${quoteName(name)} ${decision.type}${decision.type === 'text' ? ' COLLATE "C"' : ''}`;
  translateDefault(context, table, column);
  return {
    source: column.name,
    name,
    type: decision.type,
    definition: `${plain}${generated?.ok === true ? ` GENERATED ALWAYS AS (${generated.sql}) ${storage}` : ''}${notNull}`,
    plainDefinition: `${plain}${notNull}`,
    generated: generated?.ok === true,
    object,
  };
}

function collationFinding(column: SourceColumn, type: TargetType): Finding {
  if (type !== 'text' || column.collation === 'BINARY') return migrated;
  if (!BUILT_IN_COLLATIONS.has(column.collation)) {
    return changed(`the collation ${column.collation} belongs to the application; texts compare byte by byte here`);
  }
  const fold = column.collation === 'NOCASE' ? 'lower()' : 'rtrim()';
  return changed(
    `PostgreSQL compares the bytes of a text: write ${fold} where ${column.collation} was relied on; keys and indexes of this column do`,
  );
}

/** PostgreSQL has VIRTUAL since 18, but neither keys nor indexes over them. */
function generatedStorage(context: Translation, table: SourceTable, column: SourceColumn): 'STORED' | 'VIRTUAL' {
  const keyed = table.indexes.some(
    (index) => index.parts.some((part) => part.column === null || part.column === column.name) || index.predicate !== null,
  );
  const linked = table.foreignKeys.some((key) => key.columns.includes(column.name));
  return column.generated?.storage === 'virtual' && context.options.serverVersion >= 18 && !keyed && !linked ? 'VIRTUAL' : 'STORED';
}

function generatedFinding(column: SourceColumn, generated: Translated, storage: 'STORED' | 'VIRTUAL'): Finding {
  if (!generated.ok) return changed(`no longer computed, its values stand in an ordinary column: ${generated.reason}`);
  const stored = column.generated?.storage === 'virtual' && storage === 'STORED';
  return combine([
    ...generated.notes.map((note) => changed(note)),
    stored ? changed('VIRTUAL became STORED: PostgreSQL has no virtual columns before 18, and none in keys and indexes') : migrated,
  ]);
}

function translateNotNull(context: Translation, table: SourceTable, column: SourceColumn): string {
  if (!column.notNull) return '';
  const name = `${table.name}.${column.name}.NOT NULL`;
  const { nulls } = decisionOf(context, table, column.name).facts;
  if (nulls > 0) {
    context.inventory.add('not-null', name, notMigrated(`${nulls} row(s) of the source hold NULL in spite of it`));
    return '';
  }
  context.inventory.add('not-null', name, migrated);
  return ' NOT NULL';
}

function translateDefault(context: Translation, table: SourceTable, column: SourceColumn): void {
  if (column.defaultSql === null) return;
  const name = `${table.name}.${column.name}.DEFAULT ${column.defaultSql}`;
  if (column.name === table.rowidAlias) {
    context.inventory.add(
      'default',
      name,
      notMigrated('SQLite never uses the DEFAULT of an INTEGER PRIMARY KEY, which counts itself up'),
    );
    return;
  }
  const translated = defaultFor(decisionOf(context, table, column.name), column);
  if (!translated.ok) {
    context.inventory.add('default', name, notMigrated(translated.reason));
    return;
  }
  const object = context.inventory.add('default', name, findingOf(translated));
  context.statements.push({
    kind: 'default',
    table: context.names.table(table.name),
    sql: `ALTER TABLE ${targetOf(context, table)} ALTER COLUMN ${quotedColumn(context, table, column.name)} SET DEFAULT ${translated.sql}`,
    object,
    parallel: false,
    violated: null,
  });
}

export function findingOf(translated: { readonly notes: readonly string[]; readonly remarks: readonly string[] }): Finding {
  return combine([...translated.notes.map((note) => changed(note)), ...translated.remarks.map((remark) => remarked(remark))]);
}

// ---- CHECKs ------------------------------------------------------------------------------------------------------------

function translateCheck(context: Translation, table: SourceTable, check: SourceCheck): void {
  const name = `${table.name}.CHECK (${check.expression})`;
  const translated = conditionFor(context, table, check.expression);
  if (!translated.ok) {
    context.inventory.add('check', name, notMigrated(translated.reason), check.expression);
    return;
  }
  const object = context.inventory.add('check', name, findingOf(translated));
  const constraint = context.names.constraint(
    table.name,
    name,
    check.name ?? `${table.name}${check.column === null ? '' : `_${check.column}`}_check`,
  );
  const sql = `ALTER TABLE ${targetOf(context, table)} ADD CONSTRAINT ${quoteName(constraint)} CHECK (${translated.sql})`;
  context.statements.push({
    kind: 'check',
    table: context.names.table(table.name),
    sql,
    object,
    parallel: true,
    violated: { sql: `${sql} NOT VALID`, reason: 'rows of the source violate it, so it is NOT VALID: it binds new rows only' },
  });
}
