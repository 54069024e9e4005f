import type { RowCursor } from './cursor.ts';
import { INTEGER, LARGE_TEXT, NULL, REAL, TEXT } from './row.ts';

/**
 * The row as a record in SQLite's own format (https://www.sqlite.org/fileformat2.html#record_format), one value a column in the
 * order of the row: exact for every storage class, and readable by anything that reads SQLite.
 */
export function recordBytes(cursor: RowCursor): Buffer {
  const { row } = cursor;
  const types: number[] = [];
  const values: Buffer[] = [];
  for (let column = 0; column < row.kind.length; column += 1) {
    const kind = row.kind[column] ?? NULL;
    if (kind === NULL) {
      types.push(0);
    } else if (kind === INTEGER || kind === REAL) {
      const bytes = Buffer.alloc(8);
      bytes.writeInt32BE(row.high[column] ?? 0, 0);
      bytes.writeInt32BE(row.low[column] ?? 0, 4);
      types.push(kind === INTEGER ? 6 : 7);
      values.push(bytes);
    } else {
      const bytes = row.isLarge(column) ? largeBytes(cursor, column) : row.bytes(column);
      types.push(bytes.length * 2 + (kind === TEXT || kind === LARGE_TEXT ? 13 : 12));
      values.push(bytes);
    }
  }
  const header = Buffer.concat(types.map(varint));
  return Buffer.concat([headerLength(header.length), header, ...values]);
}

function largeBytes(cursor: RowCursor, column: number): Buffer {
  const bytes = Buffer.allocUnsafe(cursor.row.size[column] ?? 0);
  cursor.readLarge(column, 0, bytes);
  return bytes;
}

/** The length of the header counts itself, so it is found by trying. */
function headerLength(rest: number): Buffer {
  const oneByte = varint(rest + 1);
  return oneByte.length === 1 ? oneByte : varint(rest + 2);
}

function varint(value: number): Buffer {
  const bytes: number[] = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift((rest % 128) | 0x80);
  return Buffer.from(bytes);
}
