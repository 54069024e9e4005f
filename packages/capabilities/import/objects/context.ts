import { quoteName, quoteTable } from '@safekeep/postgres';
import type {
  ColumnDecision,
  Decisions,
  PostLoadStatement,
  SourceColumn,
  SourceSchema,
  SourceTable,
  TargetType,
  TranslateOptions,
} from './model.ts';
import type { PlannedNames } from './plan-names.ts';
import type { ObjectInventory } from './report.ts';
import { foldName } from './sqlite-syntax.ts';

/** What every part of the translation is given. */
export type Translation = {
  readonly source: SourceSchema;
  readonly decisions: Decisions;
  readonly options: TranslateOptions;
  readonly names: PlannedNames;
  readonly inventory: ObjectInventory;
  readonly statements: PostLoadStatement[];
};

export function decisionOf(context: Translation, table: SourceTable, column: string): ColumnDecision {
  const decision = context.decisions.get(table.name)?.get(column);
  if (decision === undefined) throw new Error(`No type was decided for ${table.name}.${column}`);
  return decision;
}

export function typeOf(context: Translation, table: SourceTable, column: string): TargetType {
  return decisionOf(context, table, column).type;
}

/** `"schema"."table"` of a source table. */
export function targetOf(context: Translation, table: SourceTable): string {
  return quoteTable({ schema: context.options.schema, table: context.names.table(table.name) });
}

export function quotedColumn(context: Translation, table: SourceTable, column: string): string {
  return quoteName(context.names.column(table.name, column));
}

export function quotedColumns(context: Translation, table: SourceTable, columns: readonly string[]): string {
  return columns.map((column) => quotedColumn(context, table, column)).join(', ');
}

export function findTable(source: SourceSchema, name: string): SourceTable | undefined {
  return source.tables.find((table) => foldName(table.name) === foldName(name));
}

export function findColumn(table: SourceTable, name: string): SourceColumn | undefined {
  return table.columns.find((column) => foldName(column.name) === foldName(name));
}
