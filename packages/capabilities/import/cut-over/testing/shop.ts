import assert from 'node:assert/strict';
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type pg from 'pg';

// A small shop with every kind of key, and an application that changes it at random. Shared by the tests and by the process
// that writes while they run.

export const TABLES = ['people', 'notes', 'slots', 'tags', 'pairs'] as const;

const SCHEMA = `
  CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, email TEXT UNIQUE, big INTEGER, score REAL, photo BLOB);
  CREATE TABLE notes (id INTEGER PRIMARY KEY, person INTEGER REFERENCES people ON DELETE CASCADE ON UPDATE CASCADE, body TEXT, price NUMERIC(10,2));
  CREATE TABLE slots (day TEXT, room TEXT, who TEXT, PRIMARY KEY (room, day)) WITHOUT ROWID;
  CREATE TABLE tags (name TEXT NOT NULL COLLATE NOCASE PRIMARY KEY, uses INTEGER, pin TEXT UNIQUE);
  CREATE TABLE pairs (a INTEGER NOT NULL, b TEXT NOT NULL, n INTEGER, UNIQUE (a, b), UNIQUE (n));
  CREATE INDEX notes_person ON notes (person)`;

export function fillShop(sqlite: DatabaseSync, rows = 40): void {
  sqlite.exec(`PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; ${SCHEMA}`);
  sqlite.exec('BEGIN');
  for (let id = 1; id <= rows; id += 1) {
    sqlite
      .prepare('INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)')
      .run(id, `Größe ${id}`, `p${id}@example.org`, BigInt(id) * 9_007_199_254_740n, id / 7, Buffer.from([id, 0, 255]));
    sqlite.prepare('INSERT INTO notes VALUES (?, ?, ?, ?)').run(id, id, `note ${id}`, id / 4);
    sqlite.prepare('INSERT INTO slots VALUES (?, ?, ?)').run(`d${id}`, `room ${id % 3}`, `who ${id}`);
    sqlite.prepare('INSERT INTO tags VALUES (?, ?, ?)').run(`Tag${id}`, id, `pin ${id}`);
    sqlite.prepare('INSERT INTO pairs VALUES (?, ?, ?)').run(id, `b${id % 5}`, id);
  }
  sqlite.exec('COMMIT');
}

/** A number below `limit`; the caller's own source of chance, so that a failure can be repeated. */
export type Chance = (limit: number) => number;

type Value = string | number | bigint | null | Uint8Array;

const TEXTS = ['', 'ä', '漢字', '🦷', "it's", 'a\tb\nc', '\\N', 'x'.repeat(3_000), 'A', 'a'] as const;

function text(chance: Chance): string | null {
  const at = chance(TEXTS.length + 2);
  return at >= TEXTS.length ? null : (TEXTS[at] ?? null);
}

function integer(chance: Chance): bigint | null {
  return (
    [null, 0n, -1n, 9_223_372_036_854_775_807n, -9_223_372_036_854_775_808n, 9_007_199_254_740_993n, BigInt(chance(1_000))][
      chance(7)
    ] ?? null
  );
}

function real(chance: Chance): number | null {
  return [null, 0.1, -1.5e300, 5e-324, Number.POSITIVE_INFINITY, chance(1_000) / 8][chance(6)] ?? null;
}

function blob(chance: Chance): Uint8Array | null {
  return chance(4) === 0 ? null : Uint8Array.from({ length: chance(300) }, () => chance(256));
}

type Change = readonly [sql: string, ...values: Value[]];

/** Keys come from a small range, so that they collide, move onto one another and come back. */
const KEYS = 60;

function nextChange(chance: Chance): Change {
  const id = chance(KEYS) + 1;
  const other = chance(KEYS) + 1;
  const email = `p${chance(KEYS)}@example.org`;
  const [verb, tag, day, room] = [
    ['INSERT OR IGNORE', 'REPLACE'][chance(2)] ?? '',
    ['Tag', 'tag', 'TAG'][chance(3)] ?? '',
    `d${chance(KEYS)}`,
    `room ${chance(3)}`,
  ];
  const changes: readonly (() => Change)[] = [
    () => [
      `${verb} INTO people (id, name, email, big, score, photo) VALUES (?, ?, ?, ?, ?, ?)`,
      id,
      text(chance),
      email,
      integer(chance),
      real(chance),
      blob(chance),
    ],
    () => ['INSERT OR IGNORE INTO people (name, email) VALUES (?, NULL)', text(chance)],
    () => [
      'UPDATE OR IGNORE people SET name = ?, big = ?, score = ?, photo = ? WHERE id = ?',
      text(chance),
      integer(chance),
      real(chance),
      blob(chance),
      id,
    ],
    () => [`UPDATE OR ${chance(2) === 0 ? 'REPLACE' : 'IGNORE'} people SET id = ?, email = ? WHERE id = ?`, other, email, id],
    () => ['UPDATE OR REPLACE people SET email = ? WHERE id = ?', email, id],
    () => ['DELETE FROM people WHERE id = ?', id],
    () => [
      `${verb} INTO notes VALUES (?, (SELECT id FROM people WHERE id >= ? LIMIT 1), ?, ?)`,
      id,
      other,
      text(chance),
      chance(1_000) / 4,
    ],
    () => ['UPDATE OR REPLACE notes SET rowid = ? WHERE id = ?', other, id],
    () => ['DELETE FROM notes WHERE id BETWEEN ? AND ?', id, id + 2],
    () => [`${verb} INTO slots VALUES (?, ?, ?)`, day, room, text(chance)],
    () => ['UPDATE OR REPLACE slots SET day = ? WHERE day = ?', `d${other}`, day],
    () => ['DELETE FROM slots WHERE day = ?', day],
    () => [`${verb} INTO tags VALUES (?, ?, ?)`, `${tag}${id}`, integer(chance), chance(3) === 0 ? null : `pin ${other}`],
    () => ['UPDATE OR REPLACE tags SET name = ? WHERE name = ?', `${tag}${other}`, `Tag${id}`],
    () => ['INSERT INTO tags VALUES (?, 1, NULL) ON CONFLICT (name) DO UPDATE SET uses = 0, name = excluded.name', `${tag}${id}`],
    () => [`REPLACE INTO tags (rowid, name, uses, pin) VALUES (?, ?, 5, NULL)`, id, `${tag}${other}`],
    () => ['DELETE FROM tags WHERE name = ?', `${tag}${id}`],
    () => [`${verb} INTO pairs VALUES (?, ?, ?)`, id, `b${chance(5)}`, other],
    () => ['UPDATE OR REPLACE pairs SET a = ?, n = ? WHERE a = ?', other, chance(KEYS), id],
    () => ['UPDATE pairs SET n = -n - 1 WHERE n IS NOT NULL'],
  ];
  return (changes[chance(changes.length)] ?? assert.fail('a change'))();
}

/** Makes one change, or none where it would go against a constraint: as applications do. */
export function changeShop(sqlite: DatabaseSync, chance: Chance): void {
  const [sql, ...values] = nextChange(chance);
  try {
    sqlite.prepare(sql).run(...values);
  } catch (error) {
    // https://www.sqlite.org/rescode.html: any SQLITE_CONSTRAINT but that of a trigger, which means that the file is closed.
    const isConstraint =
      error instanceof Error && 'errcode' in error && Number(error.errcode) % 256 === 19 && error.errcode !== 1_811;
    if (!isConstraint) throw error;
  }
}

/** A deterministic source of chance (mulberry32). */
export function seededChance(seed: number): Chance {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * limit);
  };
}

// ---- the comparison: shares nothing with the import but the two databases --------------------------------------------------

const COLUMNS = {
  people: ['id', 'name', 'email', 'big', 'score', 'photo'],
  notes: ['id', 'person', 'body', 'price'],
  slots: ['day', 'room', 'who'],
  tags: ['name', 'uses', 'pin'],
  pairs: ['a', 'b', 'n'],
} as const;

const BYTES: ReadonlySet<string> = new Set(['photo']);
const DOUBLES: ReadonlySet<string> = new Set(['score']);

export function sqliteRows(sqlite: DatabaseSync, table: (typeof TABLES)[number]): string[] {
  const columns = COLUMNS[table].map((name) => (name === 'price' ? `printf('%.2f', price)` : name));
  const statement = sqlite.prepare(`SELECT ${columns.join(', ')} FROM ${table}`);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  // setReturnArrays(true) above.
  return (statement.all() as unknown as SQLOutputValue[][]).map((row) => row.map(plain).join(' | ')).toSorted();
}

function plain(value: SQLOutputValue): string {
  if (value === null) return 'null';
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    return bytes.toString('hex');
  }
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : JSON.stringify(String(value));
}

export async function targetRows(pool: pg.Pool, table: (typeof TABLES)[number]): Promise<string[]> {
  const columns = COLUMNS[table].map((name) =>
    BYTES.has(name)
      ? `encode(${name}, 'hex')`
      : DOUBLES.has(name)
        ? `encode(float8send(${name}), 'hex')`
        : `to_json(${name}::text)::text`,
  );
  const { rows } = await pool.query<{ values: (string | null)[] }>(`SELECT array[${columns.join(', ')}] AS values FROM ${table}`);
  return rows
    .map(({ values }) =>
      values
        .map((value) => (value === null ? 'null' : value.startsWith('"') ? JSON.stringify(JSON.parse(value)) : value))
        .join(' | '),
    )
    .toSorted();
}

export async function assertSame(sqlite: DatabaseSync, pool: pg.Pool): Promise<void> {
  for (const table of TABLES) assert.deepEqual(await targetRows(pool, table), sqliteRows(sqlite, table), table);
}
