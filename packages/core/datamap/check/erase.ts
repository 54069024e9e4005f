import type { DataMap, EraseAction, Scalar } from '../model.ts';
import { bareType } from '../resolve.ts';
import { tableName } from '../../catalog-names.ts';
import { columnOf, type ColumnFacts, type SchemaIndex, type TableFacts } from '../schema-facts.ts';

/** A column where it stands. */
export type ColumnTarget = { readonly schema: SchemaIndex; readonly table: TableFacts; readonly column: ColumnFacts };

/** `erase: hash` writes a keyed hash in hex, cut to the column's length; shorter than this it would collide. */
export const HASH_LENGTH = { longest: 64, shortest: 16 } as const;
const TEXTS: ReadonlySet<string> = new Set(['text', 'character varying', 'character', 'citext']);

/** Why the database would refuse an action, in words that go on after the column's name; undefined where it would not. */
export function eraseRefusal(target: ColumnTarget, action: EraseAction): string | undefined {
  if (action.kind === 'delete' || action.kind === 'keep') return undefined;
  if (target.table.kind === 'materialized-view') return 'a materialized view is not written to; it forgets when it is refreshed';
  if (action.kind === 'hash') return writeRefusal(target) ?? hashRefusal(target);
  if (action.kind === 'replace') return replaceRefusal(target, action.value);
  return replaceRefusal(target, null);
}

/** The same for setting the column to one value in the row of every person that is erased. */
export function replaceRefusal(target: ColumnTarget, value: Scalar): string | undefined {
  const refusal = writeRefusal(target);
  if (refusal !== undefined) return refusal;
  return value === null ? nullRefusal(target) : valueRefusal(target, value);
}

function writeRefusal({ schema, table, column }: ColumnTarget): string | undefined {
  if (column.generated !== null) return 'it is generated from other columns; erase those';
  if (column.identity === 'always') return 'it is GENERATED ALWAYS AS IDENTITY and cannot be written';
  if (table.primaryKey?.columns.includes(column.name) === true) return 'it is part of the primary key';
  const referring = (schema.incoming.get(tableName(table)) ?? []).find(({ foreignKey }) =>
    foreignKey.references.columns.includes(column.name),
  );
  return referring === undefined ? undefined : `${referring.from} refers to it (${referring.foreignKey.name})`;
}

function nullRefusal({ table, column }: ColumnTarget): string | undefined {
  if (column.notNull) return 'it is NOT NULL';
  if (column.domain?.notNull === true) return `its domain ${column.domain.name} is NOT NULL`;
  const unique = table.uniques.find(
    ({ columns, nullsNotDistinct }) => nullsNotDistinct && columns.length === 1 && columns[0] === column.name,
  );
  return unique === undefined
    ? undefined
    : `${unique.name} (NULLS NOT DISTINCT) lets one row be null, and the second erasure would be refused`;
}

function valueRefusal({ table, column }: ColumnTarget, value: Exclude<Scalar, null>): string | undefined {
  const unique = uniqueAlone(table, column.name);
  if (unique !== undefined) return `${unique} makes it unique, so the second person erased could not be given the same value`;
  if (table.foreignKeys.some(({ columns }) => columns.includes(column.name)))
    return 'it refers to another table, where the value need not exist';
  const text = String(value);
  if (column.enumLabels !== null && !column.isArray && !column.enumLabels.includes(text))
    return `${JSON.stringify(text)} is none of ${column.enumLabels.join(', ')}`;
  const limit = lengthOf(column);
  // PostgreSQL counts characters.
  return limit !== undefined && [...text].length > limit ? `${JSON.stringify(text)} is longer than ${limit} characters` : undefined;
}

function hashRefusal({ table, column }: ColumnTarget): string | undefined {
  if (table.foreignKeys.some(({ columns }) => columns.includes(column.name)))
    return 'it refers to another table, where the hash does not exist';
  if (column.isArray || (!TEXTS.has(bareType(column)) && column.baseType !== 'bytea'))
    return `a hash is text, and it is ${column.type}`;
  const limit = lengthOf(column);
  return limit !== undefined && limit < HASH_LENGTH.shortest
    ? `a hash has at least ${HASH_LENGTH.shortest} characters, and it holds ${limit}`
    : undefined;
}

/** The constraint or index by which no two rows share a value of this column alone. */
function uniqueAlone(table: TableFacts, column: string): string | undefined {
  const alone = (columns: readonly (string | null)[]): boolean => columns.length === 1 && columns[0] === column;
  return (
    table.uniques.find(({ columns }) => alone(columns))?.name ??
    table.indexes.find(({ unique, keys }) => unique && alone(keys.map((key) => key.column)))?.name
  );
}

/** The most characters that a text may have; undefined where there is no limit. */
export function lengthOf(column: Pick<ColumnFacts, 'baseType'>): number | undefined {
  const digits = /^character(?: varying)?\((\d+)\)$/.exec(column.baseType)?.[1];
  if (digits !== undefined) return Number(digits);
  return column.baseType === 'character' ? 1 : undefined;
}

/** A value that erasure will write. Whether its type and its checks take it, only the server can say. */
export type ErasureValue = {
  readonly table: string;
  readonly column: string;
  readonly value: Scalar;
  /** As declared. */
  readonly type: string;
  /** Conditions on this column alone. */
  readonly checks: readonly { readonly name: string; readonly expression: string }[];
  /** Where the map says so. */
  readonly within: readonly string[];
};

/** What is to be asked of the server: every value that the map has erasure write, where the other rules found nothing. */
export function erasureValues(map: DataMap, schema: SchemaIndex): readonly ErasureValue[] {
  return [...map.tables.values()].flatMap((mapped) => {
    const table = schema.byName.get(mapped.name);
    if (table === undefined) return [];
    const wanted = [
      ...[...mapped.columns.values()].map(({ name, erase }) => ({
        name,
        value: valueOf(erase),
        within: ['columns', name, 'erase'],
      })),
      ...[...(mapped.onErasure?.replace ?? [])].map(([name, value]) => ({ name, value, within: ['on_erasure', 'replace', name] })),
    ];
    return wanted.flatMap(({ name, value, within }) => {
      const column = columnOf(table, name);
      if (column === undefined || value === undefined || replaceRefusal({ schema, table, column }, value) !== undefined) return [];
      const checks = table.checks.filter(({ columns }) => columns.length === 1 && columns[0] === name);
      return [{ table: mapped.name, column: name, value, type: column.type, checks, within }];
    });
  });
}

function valueOf(erase: EraseAction | null): Scalar | undefined {
  if (erase?.kind === 'replace') return erase.value;
  return erase?.kind === 'null' ? null : undefined;
}
