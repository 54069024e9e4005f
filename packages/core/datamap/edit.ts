import type { ColumnText, MapFile, PurposeText, SubjectText, TableText } from './file-schema.ts';
import { readColumnName, readTableName, writeColumnName } from './names.ts';

/**
 * A change to a map that leaves everything else as it was. Tables by external name, columns as they stand in the database.
 * What is set replaces what stood there; what is not set stays.
 */
export type MapEdit =
  | { readonly kind: 'set-purpose'; readonly name: string; readonly purpose: PurposeText }
  | { readonly kind: 'set-subject'; readonly name: string; readonly subject: SubjectText }
  | { readonly kind: 'set-table'; readonly table: string; readonly values: Omit<TableText, 'columns'> }
  | { readonly kind: 'set-column'; readonly table: string; readonly column: string; readonly values: Partial<ColumnText> };

/** The file after the edits. An edit finds a table or column by whatever spelling of its name stands there. */
export function applyEdits(file: MapFile, edits: readonly MapEdit[]): MapFile {
  return edits.reduce(applyEdit, file);
}

function applyEdit(file: MapFile, edit: MapEdit): MapFile {
  if (edit.kind === 'set-purpose') return { ...file, purposes: { ...file.purposes, [edit.name]: edit.purpose } };
  if (edit.kind === 'set-subject') return { ...file, subjects: { ...file.subjects, [edit.name]: edit.subject } };
  const tables = file.tables ?? {};
  const key = Object.keys(tables).find((written) => canonicalTable(written) === edit.table) ?? edit.table;
  const table = tables[key] ?? {};
  return {
    ...file,
    tables: {
      ...tables,
      [key]: edit.kind === 'set-table' ? { ...table, ...edit.values } : withColumn(table, edit.column, edit.values),
    },
  };
}

function withColumn(table: TableText, name: string, values: Partial<ColumnText>): TableText {
  const columns = table.columns ?? {};
  const key = Object.keys(columns).find((written) => readColumnName(written) === name) ?? writeColumnName(name);
  // A column that is new must come with its category; readMap refuses it otherwise.
  const column = { ...columns[key], ...values } as ColumnText;
  return { ...table, columns: { ...columns, [key]: column } };
}

function canonicalTable(written: string): string {
  const read = readTableName(written);
  return 'name' in read ? read.name : written;
}
