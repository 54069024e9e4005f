import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { RowCursor } from '../source/cursor.ts';
import { quoteSqlite } from '../source/quote.ts';
import { hasSafeRowids } from '../source/table-facts.ts';
import { keyPlaces, tableDigest, tags, type ColumnForm, type DigestForm, type TableDigest } from './digest-form.ts';
import { RowKey, TableSums, ValueHash } from './hash.ts';
import { sourceHasher } from './source-values.ts';

/** Receives each row of one side: its place, and the hashes of its key and values. The arrays are used again for the next row. */
export type RowVisitor = (row: {
  readonly place: string;
  readonly key: RowKey;
  readonly first: Int32Array;
  readonly second: Int32Array;
}) => void;

export type SourceTable = {
  readonly table: string;
  readonly form: DigestForm;
  /** Places of rows that were not loaded, in the order of the table. */
  readonly skip: ReadonlySet<number>;
};

// Above this a value never stands in memory whole.
const LONG_VALUE_BYTES = 8_388_608;
const PIECE_BYTES = 1_048_576;

/** A way to the pages of the table, for values too long to be asked of SQLite. */
export type OpenPages = () => RowCursor;

export function sourceDigest(sqlite: DatabaseSync, source: SourceTable, openPages: OpenPages): TableDigest {
  const sums = new TableSums(source.form.columns.length);
  visitSource(sqlite, { ...source, openPages }, sums, undefined);
  return tableDigest(source.form, sums);
}

/** Reads every row through SQLite's own library. */
export function visitSource(
  sqlite: DatabaseSync,
  { table, form, skip, openPages }: SourceTable & { readonly openPages: OpenPages },
  sums: TableSums,
  visit: RowVisitor | undefined,
): void {
  const hashers = form.columns.map(sourceHasher);
  // In a UTF-16 database the bytes of a text are not the ones of the target: there SQLite has to convert the whole text.
  const utf8 = sqlite.prepare('PRAGMA encoding').get()?.['encoding'] === 'UTF-8';
  const maybeLong = form.columns.map(
    (column) => utf8 && form.ordered && !column.numbersAsText && column.longestBytes > LONG_VALUE_BYTES,
  );
  const longTags = form.columns.map(({ type }) => (type === 'bytea' ? tags.bytes : tags.text));
  const longValues = maybeLong.includes(true) ? new LongValues(openPages()) : undefined;
  const select = form.columns.map((column, at) =>
    maybeLong[at] === true ? lengthIfLong(column, valueSql(column, utf8)) : valueSql(column, utf8),
  );
  const hash = new ValueHash();
  const first = new Int32Array(hashers.length);
  const second = new Int32Array(hashers.length);
  const key = new RowKey();
  const places = keyPlaces(form);
  let ordinal = -1;
  for (const values of sourceRows(sqlite, { table, form, select })) {
    ordinal += 1;
    if (skip.size > 0 && skip.has(ordinal)) continue;
    const rowid = values[hashers.length];
    for (let column = 0; column < hashers.length; column += 1) {
      const value = values[column] ?? null;
      if (value === null) {
        sums.nulls[column] = (sums.nulls[column] ?? 0) + 1;
        hash.begin(tags.null);
        hash.end();
      } else if (maybeLong[column] === true && typeof value === 'number') {
        longValues?.hash({ ordinal, column }, value, longTags[column] ?? 0, hash);
      } else {
        hashers[column]?.(value, hash);
      }
      first[column] = hash.first;
      second[column] = hash.second;
    }
    key.set(places, first, second);
    sums.add(key, first, second);
    visit?.({ place: rowid === undefined ? `row ${ordinal + 1}` : String(rowid), key, first, second });
  }
}

type Selection = { readonly table: string; readonly form: DigestForm; readonly select: readonly string[] };

// node:sqlite makes rows of one call 1.5 times as fast as rows one by one; more than this gains nothing.
const ROWS_AT_ONCE = 1_000;
const BYTES_AT_ONCE = 4_194_304;
const BYTES_OF_A_NUMBER = 16;

/** The rows in the order of the table, each with its rowid behind the values where it has one. */
function* sourceRows(sqlite: DatabaseSync, { table, form, select }: Selection): Generator<readonly SQLOutputValue[]> {
  const from = `FROM ${quoteSqlite(table)}${form.ordered ? ' NOT INDEXED' : ''}`;
  const longest = form.columns.reduce(
    (sum, column) => sum + BYTES_OF_A_NUMBER + Math.min(column.longestBytes, LONG_VALUE_BYTES),
    0,
  );
  const limit = Math.max(1, Math.min(ROWS_AT_ONCE, Math.floor(BYTES_AT_ONCE / longest)));
  if (!form.hasRowid || !hasSafeRowids(sqlite, table)) {
    const rowid = form.hasRowid ? ['CAST(rowid AS TEXT)'] : [];
    const statement = sqlite.prepare(`SELECT ${[...select, ...rowid].join(', ')} ${from}`);
    statement.setReturnArrays(true);
    // setReturnArrays(true) above: rows are arrays.
    for (const row of statement.iterate()) yield row as unknown as SQLOutputValue[];
    return;
  }
  const statement = sqlite.prepare(
    `SELECT ${[...select, 'rowid'].join(', ')} ${from} WHERE rowid > ? ORDER BY rowid LIMIT ${limit}`,
  );
  statement.setReturnArrays(true);
  for (let last: SQLOutputValue = Number.MIN_SAFE_INTEGER; ;) {
    // setReturnArrays(true) above: rows are arrays.
    const rows = statement.all(last) as unknown as SQLOutputValue[][];
    yield* rows;
    if (rows.length < limit) return;
    last = rows.at(-1)?.at(-1) ?? null;
  }
}

/** Integers beyond 2^53 come as text; so do numbers that became text. A real stays a number, to be written as JavaScript does. */
function valueSql(column: ColumnForm, utf8: boolean): string {
  const name = quoteSqlite(column.source);
  if (column.type === 'bytea')
    return `CASE typeof(${name}) WHEN 'real' THEN ${name} ${utf8 ? '' : `WHEN 'text' THEN ${name} WHEN 'integer' THEN CAST(${name} AS TEXT) `}ELSE CAST(${name} AS BLOB) END`;
  if (column.wide || column.numbersAsText) return `CASE typeof(${name}) WHEN 'integer' THEN CAST(${name} AS TEXT) ELSE ${name} END`;
  return name;
}

/**
 * SQLite gives a value whole or not at all, and may need it twice in memory; a longer one is told by its length, as a number
 * where no number can stand otherwise.
 */
function lengthIfLong(column: ColumnForm, value: string): string {
  const name = quoteSqlite(column.source);
  return `CASE WHEN octet_length(${name}) > ${LONG_VALUE_BYTES} THEN octet_length(${name}) ELSE ${value} END`;
}

/** Reads long values from the pages of the file, piece by piece, walking the table beside the rows that SQLite gives. */
class LongValues {
  readonly #cursor: RowCursor;
  readonly #piece = Buffer.allocUnsafe(PIECE_BYTES);
  readonly #view = new DataView(this.#piece.buffer, this.#piece.byteOffset, PIECE_BYTES);
  #ordinal = -1;

  constructor(cursor: RowCursor) {
    this.#cursor = cursor;
  }

  hash(place: { readonly ordinal: number; readonly column: number }, sizeBytes: number, tag: number, hash: ValueHash): void {
    for (; this.#ordinal < place.ordinal; this.#ordinal += 1)
      if (!this.#cursor.next()) throw new Error('The pages have fewer rows than SQLite');
    const { row } = this.#cursor;
    // The length comes from SQLite, the bytes from the pages: if they do not belong together, it shows here.
    if (row.size[place.column] !== sizeBytes) throw new Error('A long value has another length in its pages');
    hash.begin(tag);
    for (let from = 0; from < sizeBytes; from += PIECE_BYTES) {
      const size = Math.min(PIECE_BYTES, sizeBytes - from);
      this.#cursor.readLarge(place.column, from, this.#piece.subarray(0, size));
      hash.bytes(this.#view, 0, size);
    }
    hash.end();
  }
}
