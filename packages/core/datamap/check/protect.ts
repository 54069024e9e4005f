import { bareType } from '../resolve.ts';
import { tableName } from '../../catalog-names.ts';
import type { TableFacts } from '../schema-facts.ts';
import type { ColumnTarget } from './erase.ts';

/** The types that the format of encrypted values has a tag for. */
const TYPES: ReadonlySet<string> = new Set([
  'text',
  'character varying',
  'character',
  'citext',
  'smallint',
  'integer',
  'bigint',
  'numeric',
  'date',
  'timestamp with time zone',
  'boolean',
  'json',
  'jsonb',
  'bytea',
]);

/** Why the values of a column cannot be encrypted, in words that go on after its name; undefined where they can. */
export function protectRefusal({ schema, table, column }: ColumnTarget): string | undefined {
  const { name } = column;
  const has = ({ columns }: { readonly columns: readonly string[] }): boolean => columns.includes(name);
  if (table.kind !== 'table' && table.kind !== 'partitioned-table')
    return `its table is a ${table.kind.replace('-', ' ')}, which cannot be given further columns and triggers`;
  if (column.generated !== null) return 'it is generated; protect the columns it is made of';
  if (column.identity !== null) return 'it is numbered by the database';
  if (table.primaryKey !== null && has(table.primaryKey)) return `it is part of the primary key (${table.primaryKey.name})`;
  const foreignKey = table.foreignKeys.find(has);
  if (foreignKey !== undefined) return `it refers to another table (${foreignKey.name})`;
  const referring = (schema.incoming.get(tableName(table)) ?? []).find((link) => has(link.foreignKey.references));
  if (referring !== undefined) return `${referring.from} refers to it (${referring.foreignKey.name})`;
  const unique =
    table.uniques.find(has)?.name ??
    table.indexes.find((index) => index.unique && index.keys.some((key) => key.column === name))?.name;
  if (unique !== undefined) return `it must stay unique (${unique}), and encrypted values never equal each other`;
  const exclusion = table.exclusions.find(({ elements }) => elements.some((element) => element.column === name));
  if (exclusion !== undefined) return `an exclusion constraint compares it (${exclusion.name})`;
  if (isInPartitionKey(table, name)) return `the table is partitioned by it (${table.partitionKey ?? ''})`;
  const made = table.columns.find(({ generated }) => generated !== null && mentions(generated.expression, name));
  if (made !== undefined) return `${made.name} is generated from it`;
  if (column.isArray || column.enumLabels !== null || !TYPES.has(bareType(column)))
    return `values of type ${column.type} have no encrypted form`;
  return undefined;
}

function isInPartitionKey(table: TableFacts, column: string): boolean {
  return table.partitionKey !== null && mentions(table.partitionKey, column);
}

/** Whether an expression of PostgreSQL's own writing names a column: as a whole word, or in quotes. */
function mentions(expression: string, column: string): boolean {
  if (expression.includes(`"${column.replaceAll('"', '""')}"`)) return true;
  return expression.split(/[^\p{L}\p{N}_$]+/u).includes(column);
}
