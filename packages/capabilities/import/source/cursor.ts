import { corrupt, DamagedSource, type PageFile } from './page-file.ts';
import { BLOB, INTEGER, LARGE_BLOB, LARGE_TEXT, NULL, REAL, type Row, type StoredValue, TEXT } from './row.ts';
import { textToUtf8 } from './utf16.ts';
import { doubleOf, numberOf } from './words.ts';

// https://www.sqlite.org/fileformat2.html#b_tree_pages
const INTERIOR_INDEX = 0x02;
const INTERIOR_TABLE = 0x05;
const LEAF_INDEX = 0x0a;
const LEAF_TABLE = 0x0d;
// SQLite itself gives up at 20 levels (BTCURSOR_MAX_DEPTH): deeper is a loop in a broken file.
const MAX_DEPTH = 20;
/** Of a longer record only this much is held; larger values are read from the file in pieces of it. */
const RECORD_BYTES_HELD = 1_048_576;

/** How the columns of a table lie in its records. */
export type RecordLayout = {
  readonly rootPage: number;
  readonly withoutRowid: boolean;
  /** Place in the record to column of the table. */
  readonly columnAt: Int32Array;
  /** Column that is the rowid itself (stored as NULL in the record), or -1. */
  readonly rowidAlias: number;
  /** Columns with REAL affinity: SQLite stores whole numbers there as integers to save space. */
  readonly real: Uint8Array;
  /** By column: what a row holds that is older than the column (ALTER TABLE ADD COLUMN … DEFAULT …). */
  readonly missing: readonly StoredValue[];
};

/** One step further through the rows of a table, whatever they are read from. */
export type RowCursor = {
  readonly row: Row;
  /** Fills `row` with the next row; false after the last. */
  next(): boolean;
  /** Reads part of a value too large for `row.body`. Fast only in ascending order. */
  readLarge(column: number, from: number, target: Buffer): void;
};

type Level = {
  readonly page: Buffer;
  cell: number;
  cells: number;
  rightmost: number;
  type: number;
  headerAt: number;
  visitedRight: boolean;
};

/** Walks the b-tree of a table from its first row to its last, page by page. */
export class PageCursor implements RowCursor {
  readonly row: Row;
  readonly #file: PageFile;
  readonly #layout: RecordLayout;
  readonly #usable: number;
  readonly #levels: Level[] = [];
  readonly #overflowPage: Buffer;
  #record: Buffer;
  #heldEnd = 0;
  // Where the reading of a long record stands: its chain of pages is linked forward only.
  #local: { readonly page: Buffer; readonly at: number; readonly bytes: number; readonly firstOverflow: number } | undefined;
  #chainPage = 0;
  #chainAt = 0;

  constructor(file: PageFile, layout: RecordLayout, row: Row) {
    this.#file = file;
    this.#layout = layout;
    this.row = row;
    this.#usable = file.header.usableSize;
    this.#overflowPage = Buffer.allocUnsafeSlow(file.header.pageSize);
    this.#record = Buffer.allocUnsafeSlow(file.header.pageSize);
    this.#descend(layout.rootPage);
  }

  next(): boolean {
    try {
      if (!this.#step()) return false;
      if (this.#file.header.textEncoding !== 'utf8') textToUtf8(this.row, this.#file.header.textEncoding);
      return true;
    } catch (error) {
      // Reading outside of a page is what a broken length or pointer leads to.
      if (!(error instanceof RangeError)) throw error;
      throw new DamagedSource(`table with root page ${this.#layout.rootPage}`, error.message, { cause: error });
    }
  }

  #step(): boolean {
    for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
      if (level.type === LEAF_TABLE || level.type === LEAF_INDEX) {
        if (level.cell < level.cells) {
          this.#readCell(level);
          return true;
        }
        this.#levels.pop();
      } else if (!this.#advance(level)) {
        this.#levels.pop();
      } else if (level.type === INTERIOR_INDEX && this.#takenFromInterior) {
        return true;
      }
    }
    return false;
  }

  readLarge(column: number, from: number, target: Buffer): void {
    this.#readRecord((this.row.start[column] ?? 0) + from, target, target.length);
  }

  // An interior page of an index b-tree (WITHOUT ROWID) holds rows of its own, each between its left child and the next.
  #takenFromInterior = false;

  #advance(level: Level): boolean {
    this.#takenFromInterior = false;
    if (level.type === INTERIOR_TABLE) {
      if (level.cell < level.cells) {
        const cell = cellAddress(level);
        level.cell += 1;
        this.#descend(level.page.readUInt32BE(cell));
        return true;
      }
    } else if (level.cell < level.cells * 2) {
      const cell = level.page.readUInt16BE(level.headerAt + 12 + (level.cell >> 1) * 2);
      const isRow = level.cell % 2 === 1;
      level.cell += 1;
      if (isRow) {
        this.#readIndexCell(level.page, cell + 4);
        this.#takenFromInterior = true;
      } else {
        this.#descend(level.page.readUInt32BE(cell));
      }
      return true;
    }
    if (level.visitedRight) return false;
    level.visitedRight = true;
    this.#descend(level.rightmost);
    return true;
  }

  #descend(page: number): void {
    if (this.#levels.length >= MAX_DEPTH) throw corrupt(page, 'the tree has no end');
    const bytes = this.#spare[this.#levels.length] ?? Buffer.allocUnsafeSlow(this.#file.header.pageSize);
    this.#spare[this.#levels.length] = bytes;
    this.#file.read(page, bytes);
    const headerAt = page === 1 ? 100 : 0;
    const type = bytes.readUInt8(headerAt);
    const expected = this.#layout.withoutRowid
      ? type === LEAF_INDEX || type === INTERIOR_INDEX
      : type === LEAF_TABLE || type === INTERIOR_TABLE;
    if (!expected) throw corrupt(page, `it is no page of this table (type ${type})`);
    const cells = bytes.readUInt16BE(headerAt + 3);
    if (headerAt + 8 + cells * 2 > this.#usable) throw corrupt(page, `it claims ${cells} cells`);
    const interior = type === INTERIOR_TABLE || type === INTERIOR_INDEX;
    this.#levels.push({
      page: bytes,
      cell: 0,
      cells,
      type,
      headerAt,
      visitedRight: false,
      rightmost: interior ? bytes.readUInt32BE(headerAt + 8) : 0,
    });
  }

  // One buffer a level, kept: a page is not needed any more once the walk left it.
  readonly #spare: Buffer[] = [];

  #readCell(level: Level): void {
    const at = level.page.readUInt16BE(level.headerAt + 8 + level.cell * 2);
    level.cell += 1;
    if (level.type === LEAF_INDEX) {
      this.#readIndexCell(level.page, at);
      return;
    }
    varint.read(level.page, at);
    const payload = varint.asLength();
    varint.read(level.page, varint.end);
    this.row.rowidHigh = varint.high;
    this.row.rowidLow = varint.low;
    this.#readPayload(level.page, varint.end, payload, this.#usable - 35);
  }

  #readIndexCell(page: Buffer, at: number): void {
    varint.read(page, at);
    this.#readPayload(page, varint.end, varint.asLength(), Math.floor(((this.#usable - 12) * 64) / 255) - 23);
  }

  #readPayload(page: Buffer, at: number, payload: number, maxLocal: number): void {
    const { row } = this;
    row.recordBytes = payload;
    if (payload <= maxLocal) {
      if (at + payload > page.length) throw new RangeError('A cell reaches beyond its page');
      row.body = page;
      this.#decode(at, at + payload, at + payload);
      return;
    }
    const minLocal = Math.floor(((this.#usable - 12) * 32) / 255) - 23;
    const surplus = minLocal + ((payload - minLocal) % (this.#usable - 4));
    const bytes = surplus <= maxLocal ? surplus : minLocal;
    this.#local = { page, at, bytes, firstOverflow: page.readUInt32BE(at + bytes) };
    this.#chainPage = 0;
    // Text in UTF-16 is converted first, so such a record must stand whole; UTF-8 and blobs are streamed from the file.
    const held = this.#file.header.textEncoding === 'utf8' ? Math.min(payload, RECORD_BYTES_HELD) : payload;
    if (this.#record.length < held) this.#record = Buffer.allocUnsafeSlow(Math.max(held, Math.min(RECORD_BYTES_HELD, held * 2)));
    this.#readRecord(0, this.#record, held);
    row.body = this.#record;
    this.#decode(0, payload, held);
  }

  /** Copies `length` bytes of the current record, which does not lie on one page, from `from` on. */
  #readRecord(from: number, target: Buffer, length: number): void {
    const local = this.#local;
    if (local === undefined) throw new Error('The record of this row lies on one page');
    let done = 0;
    if (from < local.bytes) {
      done = Math.min(length, local.bytes - from);
      local.page.copy(target, 0, local.at + from, local.at + from + done);
    }
    const perPage = this.#usable - 4;
    while (done < length) {
      this.#seekChain(from + done - local.bytes, local.firstOverflow);
      const within = from + done - local.bytes - this.#chainAt;
      const take = Math.min(length - done, perPage - within);
      this.#overflowPage.copy(target, done, 4 + within, 4 + within + take);
      done += take;
    }
  }

  /** Makes `#overflowPage` the page of the chain that holds byte `position` of the part that overflowed. */
  #seekChain(position: number, firstOverflow: number): void {
    const perPage = this.#usable - 4;
    if (this.#chainPage === 0 || position < this.#chainAt) {
      this.#loadOverflow(firstOverflow);
      this.#chainAt = 0;
    }
    while (position >= this.#chainAt + perPage) {
      this.#loadOverflow(this.#overflowPage.readUInt32BE(0));
      this.#chainAt += perPage;
    }
  }

  #loadOverflow(page: number): void {
    if (page === 0) throw corrupt(this.#chainPage, 'a chain of overflow pages ends too early');
    this.#file.read(page, this.#overflowPage);
    this.#chainPage = page;
  }

  // https://www.sqlite.org/fileformat2.html#record_format
  #decode(at: number, end: number, heldEnd: number): void {
    this.#heldEnd = heldEnd;
    const { row } = this;
    const { columnAt } = this.#layout;
    const { body } = row;
    varint.read(body, at);
    const headerEnd = at + varint.low;
    let header = varint.end;
    let value = headerEnd;
    let place = 0;
    while (header < headerEnd) {
      let type = body[header] ?? 0;
      if (type < 0x80) {
        header += 1;
      } else {
        varint.read(body, header);
        type = varint.asLength();
        header = varint.end;
      }
      value += this.#decodeValue(columnAt[place] ?? -1, type, value);
      place += 1;
    }
    if (value > end) throw new RangeError('A value reaches beyond its record');
    for (; place < columnAt.length; place += 1) this.#fillMissing(columnAt[place] ?? -1);
    const alias = this.#layout.rowidAlias;
    if (alias >= 0) row.setInteger(alias, row.rowidHigh, row.rowidLow);
  }

  #fillMissing(column: number): void {
    const missing = this.#layout.missing[column];
    if (missing === undefined) throw new RangeError('A record is shorter than its table');
    this.row.set(column, missing);
  }

  /** Decodes one value and returns how many bytes it takes. */
  #decodeValue(column: number, type: number, at: number): number {
    const { row } = this;
    if (column < 0) return storedBytes(type);
    if (type >= 12) {
      const size = (type - 12 - (type & 1)) / 2;
      if (at + size <= this.#heldEnd) row.kind[column] = type % 2 === 1 ? TEXT : BLOB;
      else row.kind[column] = type % 2 === 1 ? LARGE_TEXT : LARGE_BLOB;
      row.start[column] = at;
      row.size[column] = size;
      return size;
    }
    if (type === 0) {
      row.kind[column] = NULL;
      return 0;
    }
    if (type === 7) {
      row.kind[column] = REAL;
      row.high[column] = row.body.readInt32BE(at);
      row.low[column] = row.body.readInt32BE(at + 4);
      // A NaN cannot be written by SQL; SQLite reads one in a broken or foreign file as NULL, and so do we.
      if (Number.isNaN(doubleOf(row.high[column] ?? 0, row.low[column] ?? 0))) row.kind[column] = NULL;
      return 8;
    }
    row.kind[column] = INTEGER;
    decodeInteger(row, column, type, at);
    if (this.#layout.real[column] === 1) row.setReal(column, numberOf(row.high[column] ?? 0, row.low[column] ?? 0));
    return storedBytes(type);
  }
}

const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0] as const;

function storedBytes(type: number): number {
  if (type >= 12) return (type - 12 - (type & 1)) / 2;
  const bytes = INTEGER_BYTES[type];
  if (bytes === undefined) throw new RangeError(`The record has a value of the reserved type ${type}`);
  return bytes;
}

function decodeInteger(row: Row, column: number, type: number, at: number): void {
  const { body, high, low } = row;
  let top = 0;
  let bottom = 0;
  if (type === 1) bottom = body.readInt8(at);
  else if (type === 2) bottom = body.readInt16BE(at);
  else if (type === 3) bottom = body.readIntBE(at, 3);
  else if (type === 4) bottom = body.readInt32BE(at);
  else if (type === 9) bottom = 1;
  else if (type === 5) {
    high[column] = body.readInt16BE(at);
    low[column] = body.readInt32BE(at + 2);
    return;
  } else if (type === 6) {
    high[column] = body.readInt32BE(at);
    low[column] = body.readInt32BE(at + 4);
    return;
  } else if (type !== 8) throw new RangeError(`The record has a value of the reserved type ${type}`);
  top = bottom < 0 ? -1 : 0;
  high[column] = top;
  low[column] = bottom;
}

function cellAddress(level: Level): number {
  return level.page.readUInt16BE(level.headerAt + 12 + level.cell * 2);
}

/** SQLite's varint: seven bits a byte, the ninth byte whole; one reader, so that no object is made per number. */
class Varint {
  high = 0;
  low = 0;
  end = 0;

  read(bytes: Buffer, at: number): void {
    let high = 0;
    let low = 0;
    for (let count = 0; count < 8; count += 1) {
      const byte = bytes[at + count] ?? 0;
      high = (high << 7) | (low >>> 25);
      low = (low << 7) | (byte & 0x7f);
      if (byte < 0x80) {
        this.high = high;
        this.low = low;
        this.end = at + count + 1;
        return;
      }
    }
    this.high = (high << 8) | (low >>> 24);
    this.low = (low << 8) | (bytes[at + 8] ?? 0);
    this.end = at + 9;
  }

  asLength(): number {
    return numberOf(this.high, this.low);
  }
}

const varint = new Varint();
