import type { DatabaseSync } from 'node:sqlite';
import type { DigestForm, TableDigest } from '../../prove/digest-form.ts';
import { sourceDigest } from '../../prove/source-digest.ts';
import { quoteSqlite } from '../../source/quote.ts';
import { SqlCursor } from '../../source/sql-cursor.ts';
import { keyName } from './changelog.ts';
import type { FollowPair } from '../model.ts';
import { CHANGELOG } from '../names.ts';

/** The number of the newest entry that speaks of the row, as a further column behind those of the table. */
const SEQUENCE = 'safekeep_changelog_sequence';

/** Keys of one table that the changelog speaks of, each once, and the rows that have them now. */
export type ChangedTable = {
  readonly pair: FollowPair;
  /** In SQLite, of this connection alone; gone with the transaction. */
  readonly keysTable: string;
  /** The rows with these keys: the columns of the table, then {@link SEQUENCE}. */
  readonly rowsView: string;
};

export type Interval = { readonly after: number; readonly upTo: number };

/** Prepares the changed keys of an interval of the changelog, as temporary tables of the caller's transaction. */
export function changedTables(sqlite: DatabaseSync, pairs: readonly FollowPair[], { after, upTo }: Interval): ChangedTable[] {
  const named = sqlite
    .prepare(`SELECT DISTINCT source_table AS name FROM ${CHANGELOG} WHERE sequence > ? AND sequence <= ?`)
    .all(after, upTo);
  const changed = new Set(named.map((row) => row['name']));
  return pairs.flatMap((pair, number) => {
    if (!changed.has(pair.source)) return [];
    const keysTable = `safekeep_keys_${number}`;
    const keys = pair.key.map((_, at) => keyName(at));
    sqlite.exec(`CREATE TEMP TABLE ${keysTable} (${keys.join(', ')}, sequence INTEGER)`);
    // By storage class too: for GROUP BY alone 1 and 1.0 are one.
    sqlite
      .prepare(
        `INSERT INTO temp.${keysTable} SELECT ${keys.join(', ')}, max(sequence) FROM ${CHANGELOG}
          WHERE source_table = ? AND sequence > ? AND sequence <= ? GROUP BY ${keys.flatMap((key) => [`typeof(${key})`, key]).join(', ')}`,
      )
      .run(pair.source, after, upTo);
    return [{ pair, keysTable, rowsView: createRowsView(sqlite, pair, keysTable, number) }];
  });
}

function createRowsView(sqlite: DatabaseSync, pair: FollowPair, keysTable: string, number: number): string {
  const view = `safekeep_rows_${number}`;
  const columns = pair.form.columns.map(({ source }) => `t.${quoteSqlite(source)} AS ${quoteSqlite(source)}`);
  // CROSS JOIN keeps SQLite from reading the whole table for a few keys.
  sqlite.exec(
    `CREATE TEMP VIEW ${view} AS SELECT ${columns.join(', ')}, k.sequence AS ${SEQUENCE}
       FROM temp.${keysTable} AS k CROSS JOIN main.${quoteSqlite(pair.source)} AS t ON ${sameKey(pair, 't', 'k')}`,
  );
  return view;
}

/** First as the index finds them, then byte for byte and by storage class, so that each row has at most one key. */
export function sameKey({ key }: Pick<FollowPair, 'key'>, table: string, keys: string): string {
  return key
    .map(({ name, collation }, at) => {
      const [column, value] = [`${table}.${quoteSqlite(name)}`, `${keys}.${keyName(at)}`];
      return `${column} COLLATE ${collation} = ${value} AND ${column} COLLATE BINARY = ${value} AND typeof(${column}) = typeof(${value})`;
    })
    .join(' AND ');
}

export function openKeys(sqlite: DatabaseSync, { keysTable, pair }: ChangedTable): SqlCursor {
  return new SqlCursor(
    sqlite,
    keysTable,
    pair.key.map((_, at) => keyName(at)),
  );
}

export function openChangedRows(sqlite: DatabaseSync, { rowsView, pair }: ChangedTable): SqlCursor {
  return new SqlCursor(sqlite, rowsView, [...pair.form.columns.map(({ source }) => source), SEQUENCE]);
}

/** The columns of the table that SELECT * gives, in order: what a run decided about must still be what stands there. */
export function columnsOf(sqlite: DatabaseSync, table: string): string[] {
  const rows = sqlite.prepare(`SELECT name FROM pragma_table_xinfo(?, 'main') WHERE hidden <> 1 ORDER BY cid`).all(table);
  return rows.map((row) => String(row['name']));
}

export function countSourceRows(sqlite: DatabaseSync, table: string): number {
  return Number(sqlite.prepare(`SELECT count(*) AS count FROM main.${quoteSqlite(table)}`).get()?.['count']);
}

/** The largest number a table has given out by itself, as text; 0 where it keeps none (no AUTOINCREMENT). */
export function givenOut(sqlite: DatabaseSync, table: string): string {
  if (sqlite.prepare(`SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'`).get() === undefined) return '0';
  const row = sqlite
    .prepare(`SELECT CAST(seq AS TEXT) AS seq FROM sqlite_sequence WHERE name = ? AND typeof(seq) = 'integer'`)
    .get(table);
  return typeof row?.['seq'] === 'string' ? row['seq'] : '0';
}

/** The digest of a table or view as this connection sees it. The form must not be `ordered`: there are no pages to go to. */
export function digestOf(sqlite: DatabaseSync, table: string, form: DigestForm): TableDigest {
  const openPages = (): never => {
    throw new Error(`${table} is read by SELECT alone`);
  };
  return sourceDigest(sqlite, { table, form, skip: new Set() }, openPages);
}
