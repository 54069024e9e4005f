import type { DatabaseSync } from 'node:sqlite';
import type { SourceColumn, SourceTable } from '../objects/model.ts';
import { PageCursor, type RowCursor } from './cursor.ts';
import { recordLayout } from './layout.ts';
import { PageFile, type PageDescriptors } from './page-file.ts';
import { Row } from './row.ts';
import { ComputedCursor, SqlCursor } from './sql-cursor.ts';

/** What is needed to read the rows of one table; plain values, so that a thread can be sent it. */
export type TableReading = {
  readonly table: SourceTable;
  readonly columns: readonly SourceColumn[];
  /** First page of the table's b-tree; 0 where its rows are not in pages of its own. */
  readonly rootPage: number;
};

export function tableReading(sqlite: DatabaseSync, table: SourceTable, columns: readonly SourceColumn[]): TableReading {
  const found = sqlite.prepare("SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?").get(table.name);
  return { table, columns, rootPage: Number(found?.['rootpage'] ?? 0) };
}

export type OpenTableOptions = {
  /** Virtual columns stay NULL: for whoever does not need them, since computing takes longer than reading. */
  readonly withoutComputed?: boolean;
};

/** Rows are read from the pages where they stand there, and by SELECT where SQLite makes them up (virtual tables and columns). */
export function openTable(
  sqlite: DatabaseSync,
  descriptors: PageDescriptors,
  reading: TableReading,
  options: OpenTableOptions = {},
): RowCursor {
  const { table, columns, rootPage } = reading;
  const computed =
    options.withoutComputed === true
      ? []
      : columns.flatMap(({ name, generated }, place) => (generated?.storage === 'virtual' ? [{ name, place }] : []));
  const file = rootPage === 0 ? undefined : new PageFile(descriptors);
  const textEncoding = file?.header.textEncoding ?? 'utf8';
  if (file === undefined || (computed.length > 0 && textEncoding !== 'utf8'))
    return new SqlCursor(
      sqlite,
      table.name,
      columns.map((column) => column.name),
    );
  const pages = new PageCursor(file, recordLayout(reading, textEncoding), new Row(columns.length));
  return computed.length === 0 ? pages : new ComputedCursor(pages, sqlite, table.name, computed);
}
