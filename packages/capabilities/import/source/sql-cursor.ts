import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { RowCursor } from './cursor.ts';
import { DamagedSource, type TextEncoding } from './page-file.ts';
import { quoteSqlite } from './quote.ts';
import { BLOB, INTEGER, NULL, REAL, Row, TEXT, type StoredValue } from './row.ts';
import { textToUtf8 } from './utf16.ts';
import { writeDouble } from './words.ts';

/**
 * Reads rows by SELECT what cannot be read from pages: virtual tables and columns that SQLite computes. Exact, but slow.
 * Texts are fetched as their bytes, since node:sqlite would replace invalid UTF-8 silently; integers as BigInt.
 */
export class SqlCursor implements RowCursor {
  readonly row: Row;
  readonly #rows: Iterator<unknown>;

  readonly #encoding: TextEncoding;

  constructor(source: DatabaseSync, table: string, columns: readonly string[]) {
    this.row = new Row(columns.length);
    this.#encoding = textEncodingOf(source);
    const statement = source.prepare(`SELECT ${columns.map(storedSql).join(', ')} FROM ${quoteSqlite(table)}`);
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    this.#rows = statement.iterate();
  }

  next(): boolean {
    const step = this.#rows.next();
    if (step.done === true) return false;
    // setReturnArrays(true) above: each row is an array with two values a column.
    const values = step.value as readonly SQLOutputValue[];
    this.row.body = Buffer.alloc(0);
    this.row.recordBytes = 0;
    for (let column = 0; column * 2 < values.length; column += 1)
      this.row.set(column, storedValue(values[column * 2], values[column * 2 + 1]));
    if (this.#encoding !== 'utf8') textToUtf8(this.row, this.#encoding);
    return true;
  }

  readLarge(): never {
    throw new Error('Rows read by SELECT stand whole in memory');
  }
}

/**
 * Rows of a table with virtual columns: what is stored comes from the pages, what SQLite computes from a SELECT of these
 * columns alone, which gives the same rows in the same order.
 */
export class ComputedCursor implements RowCursor {
  readonly row: Row;
  readonly #pages: RowCursor;
  readonly #places: readonly number[];
  readonly #computed: Iterator<unknown>;

  constructor(
    pages: RowCursor,
    source: DatabaseSync,
    table: string,
    columns: readonly { readonly name: string; readonly place: number }[],
  ) {
    this.row = pages.row;
    this.#pages = pages;
    this.#places = columns.map(({ place }) => place);
    const statement = source.prepare(
      `SELECT ${columns.map(({ name }) => storedSql(name)).join(', ')} FROM ${quoteSqlite(table)} NOT INDEXED`,
    );
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    this.#computed = statement.iterate();
  }

  next(): boolean {
    const more = this.#pages.next();
    const step = this.#computed.next();
    if (more === (step.done === true))
      throw new DamagedSource('a table with computed columns', 'its pages and SQLite give different numbers of rows');
    if (!more) return false;
    // setReturnArrays(true) above.
    const values = step.value as readonly SQLOutputValue[];
    for (let at = 0; at < this.#places.length; at += 1)
      this.row.set(this.#places[at] ?? 0, storedValue(values[at * 2], values[at * 2 + 1]));
    return true;
  }

  readLarge(column: number, from: number, target: Buffer): void {
    this.#pages.readLarge(column, from, target);
  }
}

/** The two result columns that tell a value exactly: itself (texts as bytes) and its storage class. */
function storedSql(column: string): string {
  const name = quoteSqlite(column);
  return `CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) ELSE ${name} END, typeof(${name})`;
}

function storedValue(value: SQLOutputValue | undefined, storage: SQLOutputValue | undefined): StoredValue {
  if (typeof value === 'bigint') {
    return { kind: INTEGER, high: Number(BigInt.asIntN(32, value >> 32n)), low: Number(BigInt.asIntN(32, value)) };
  }
  if (typeof value === 'number') {
    const words = [new Int32Array(1), new Int32Array(1)] as const;
    writeDouble(value, words[0], words[1], 0);
    return { kind: REAL, high: words[0][0] ?? 0, low: words[1][0] ?? 0 };
  }
  if (value instanceof Uint8Array) return { kind: storage === 'text' ? TEXT : BLOB, bytes: value };
  return { kind: NULL };
}

/** How the database stores texts; casting one to a blob gives these very bytes. */
function textEncodingOf(source: DatabaseSync): TextEncoding {
  const name = source.prepare('PRAGMA encoding').get()?.['encoding'];
  return name === 'UTF-16le' ? 'utf16le' : name === 'UTF-16be' ? 'utf16be' : 'utf8';
}

/** Evaluates a constant and stores it in a column of the declared type, in a database of its own. */
export function storedDefault(scratch: DatabaseSync, declaredType: string, defaultSql: string | null): StoredValue {
  if (defaultSql === null) return { kind: NULL };
  scratch.exec('DROP TABLE IF EXISTS later');
  scratch.exec(`CREATE TABLE later (row INTEGER, added ${declaredType} DEFAULT (${defaultSql}))`);
  scratch.exec('INSERT INTO later (row) VALUES (1)');
  const statement = scratch.prepare(`SELECT ${storedSql('added')} FROM later`);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  // setReturnArrays(true) above.
  const [value, storage] = (statement.all() as unknown as SQLOutputValue[][])[0] ?? [];
  return storedValue(value, storage);
}
