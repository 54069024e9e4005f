import { DatabaseSync } from 'node:sqlite';
import type { SourceColumn } from '../objects/model.ts';
import type { RecordLayout } from './cursor.ts';
import type { TableReading } from './open-table.ts';
import type { TextEncoding } from './page-file.ts';
import { NULL, type StoredValue } from './row.ts';
import { storedDefault } from './sql-cursor.ts';

/**
 * How the records of a table are laid out: in the order of its columns, virtual ones left out; in a WITHOUT ROWID table the
 * columns of the primary key come first (https://www.sqlite.org/fileformat2.html, sections 2.3 and 2.4).
 * `columns` are the columns wanted, in the order of the rows to fill.
 */
export function recordLayout({ table, rootPage, columns }: TableReading, encoding: TextEncoding): RecordLayout {
  const stored = table.columns.filter((column) => column.generated?.storage !== 'virtual');
  const order = table.withoutRowid ? keyFirst(stored) : stored;
  return {
    rootPage,
    withoutRowid: table.withoutRowid,
    columnAt: Int32Array.from(order, (column) => columns.indexOf(column)),
    rowidAlias: columns.findIndex((column) => column.name === table.rowidAlias),
    real: Uint8Array.from(columns, (column) => (column.affinity === 'real' ? 1 : 0)),
    missing: missingValues(columns, encoding),
  };
}

const encodingNames = { utf8: 'UTF-8', utf16le: 'UTF-16le', utf16be: 'UTF-16be' } as const;

function keyFirst(columns: readonly SourceColumn[]): SourceColumn[] {
  const key = columns.filter((column) => column.primaryKeyPosition > 0).sort((a, b) => a.primaryKeyPosition - b.primaryKeyPosition);
  return [...key, ...columns.filter((column) => column.primaryKeyPosition === 0)];
}

function missingValues(columns: readonly SourceColumn[], encoding: TextEncoding): readonly StoredValue[] {
  if (columns.every((column) => column.defaultSql === null)) return columns.map(() => ({ kind: NULL }));
  const scratch = new DatabaseSync(':memory:');
  try {
    scratch.exec(`PRAGMA encoding = '${encodingNames[encoding]}'`);
    // A default that is no constant cannot belong to a column added to rows: ALTER TABLE refuses it.
    return columns.map((column) =>
      isConstant(column.defaultSql) ? storedDefault(scratch, column.declaredType, column.defaultSql) : { kind: NULL },
    );
  } finally {
    scratch.close();
  }
}

const CONSTANT = /^\s*(?:[-+]?\s*[\d.][\w.+-]*|'(?:[^']|'')*'|"(?:[^"]|"")*"|[xX]'[0-9a-fA-F]*'|null|true|false)\s*$/i;

function isConstant(sql: string | null): boolean {
  return sql !== null && CONSTANT.test(sql);
}
