import type { Translation } from './context.ts';
import { translateForeignKeys } from './foreign-keys.ts';
import { translateIndexes } from './indexes.ts';
import { newTargetKeys, translateKeys } from './keys.ts';
import type { Decisions, PostLoadStatement, SourceSchema, StatementKind, TargetPlan, TranslateOptions } from './model.ts';
import { planNames } from './plan-names.ts';
import { ObjectInventory } from './report.ts';
import { COLUMNS_LIMIT, translateTable } from './tables.ts';
import { listOtherTables, listTriggers } from './triggers.ts';
import { translateViews } from './views.ts';

/** Keys before the foreign keys that point at them, views last: they may depend on a primary key (GROUP BY). */
const STATEMENT_ORDER: readonly StatementKind[] = [
  'default',
  'primary-key',
  'unique',
  'index',
  'check',
  'foreign-key',
  'identity',
  'sequence',
  'view',
];

/**
 * What PostgreSQL gets for everything in the file. Each object stands in the report exactly once, and whatever could
 * mean something else in PostgreSQL is either written in a form that means the same, or named there with its reason.
 *
 * Pure. `decisions` must hold every column of every loadable table.
 */
export function translateObjects(source: SourceSchema, decisions: Decisions, options: TranslateOptions): TargetPlan {
  const statements: PostLoadStatement[] = [];
  const context: Translation = {
    source,
    decisions,
    options,
    names: planNames(source, options),
    inventory: new ObjectInventory(),
    statements,
  };
  const loadable = source.tables.filter((table) => table.loadable);
  const keys = newTargetKeys();
  const tables = loadable.map((table) => {
    const target = translateTable(context, table);
    translateKeys(context, table, keys);
    translateIndexes(context, table, keys);
    return target;
  });
  for (const table of loadable) translateForeignKeys(context, table, keys);
  listOtherTables(context);
  translateViews(context);
  listTriggers(context);
  return {
    schema: options.schema,
    tables,
    statements: STATEMENT_ORDER.flatMap((kind) => statements.filter((statement) => statement.kind === kind)),
    objects: context.inventory.objects,
    names: context.names.changes(),
    blockers: tables
      .filter((table) => table.columns.length > COLUMNS_LIMIT)
      .map((table) => ({
        object: table.object,
        reason: `${table.source} has ${table.columns.length} columns; a PostgreSQL table holds ${COLUMNS_LIMIT} at most`,
      })),
  };
}
