import type { RowCursor } from '../source/cursor.ts';
import { LARGE_TEXT } from '../source/row.ts';
import { bigintOf } from '../source/words.ts';
import { ColumnScan, isStorable, type ScanFacts } from './column-scan.ts';

/** A row with a text that PostgreSQL cannot hold. */
export type UnstorableRow = {
  /** Place in the order of the table's b-tree, from 0. */
  readonly ordinal: number;
  /** Null in a table without rowid. */
  readonly rowid: bigint | null;
  /** Columns with such texts, by their place among the loaded ones. */
  readonly columns: readonly number[];
};

export type TableFacts = {
  readonly rows: number;
  readonly columns: readonly ScanFacts[];
  readonly unstorable: readonly UnstorableRow[];
};

export type ScanOptions = {
  /** By column: whether digits after the point are measured. */
  readonly measureScale: readonly boolean[];
  readonly withoutRowid: boolean;
};

// The rows that cannot be stored are listed one by one; a table with more of them is in another encoding altogether.
const MAX_UNSTORABLE_ROWS = 1_000_000;
const PIECE_BYTES = 1_048_576;

/** Reads a table once, from its first row to its last, and says what each column holds. */
export function scanTable(cursor: RowCursor, options: ScanOptions): TableFacts {
  const scans = options.measureScale.map((measure) => new ColumnScan(measure));
  const unstorable: UnstorableRow[] = [];
  const { row } = cursor;
  let rows = 0;
  while (cursor.next()) {
    let bad: number[] | undefined;
    for (let column = 0; column < scans.length; column += 1) {
      const storable = row.isLarge(column) ? takeLarge(cursor, column, scans[column]) : scans[column]?.take(row, column);
      if (storable === false) (bad ??= []).push(column);
    }
    if (bad !== undefined && unstorable.length < MAX_UNSTORABLE_ROWS) {
      unstorable.push({ ordinal: rows, rowid: options.withoutRowid ? null : bigintOf(row.rowidHigh, row.rowidLow), columns: bad });
    }
    rows += 1;
  }
  return { rows, columns: scans.map((scan) => scan.facts()), unstorable };
}

function takeLarge(cursor: RowCursor, column: number, scan: ColumnScan | undefined): boolean {
  const storable = cursor.row.kind[column] !== LARGE_TEXT || isLargeStorable(cursor, column);
  scan?.takeLarge(cursor.row, column, storable);
  return storable;
}

/** Checks a long text piece by piece; a character cut at the end of a piece is carried over to the next. */
function isLargeStorable(cursor: RowCursor, column: number): boolean {
  const size = cursor.row.size[column] ?? 0;
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  let carried = 0;
  for (let from = 0; from < size;) {
    const take = Math.min(size - from, piece.length - carried);
    cursor.readLarge(column, from, piece.subarray(carried, carried + take));
    from += take;
    const filled = carried + take;
    const whole = from < size ? wholeCharacters(piece, filled) : filled;
    if (!isStorable(piece, 0, whole)) return false;
    piece.copy(piece, 0, whole, filled);
    carried = filled - whole;
  }
  return true;
}

/** How many of the first `length` bytes do not belong to a character that goes on behind them. */
function wholeCharacters(bytes: Buffer, length: number): number {
  for (let back = 1; back <= Math.min(3, length); back += 1) {
    const byte = bytes[length - back] ?? 0;
    if (byte < 0x80) return length;
    if (byte >= 0xc0) return length - back;
  }
  return length;
}
