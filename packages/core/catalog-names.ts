import { formatColumnName, formatTableName, type TableRef } from './names.ts';

/** A table as a catalogue has it. */
type NamedTable = { readonly schema: string; readonly name: string };

/** A table of a catalogue by its parts. */
export function tableRef({ schema, name }: NamedTable): TableRef {
  return { schema, table: name };
}

/** The external name of a table of a catalogue. */
export function tableName(table: NamedTable): string {
  return formatTableName(tableRef(table));
}

/** The external name of a column of a table of a catalogue. */
export function columnName(table: NamedTable, column: string): string {
  return formatColumnName({ ...tableRef(table), column });
}
