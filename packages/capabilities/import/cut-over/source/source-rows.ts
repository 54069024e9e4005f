import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { quoteSqlite } from '../../source/quote.ts';
import { sameKey } from './changed-rows.ts';
import { keyName } from './changelog.ts';
import type { FollowPair } from '../model.ts';
import { isClosing } from '../names.ts';

/** The rows of one table of the source that are about to be written back, beside it, in temporary tables. */
export type SourceRows = {
  readonly pair: FollowPair;
  readonly keysTable: string;
  /** A copy of the rows, to be changed and then put in their place. */
  readonly copyTable: string;
  readonly rowsView: string;
  /** Columns that are written: all that SQLite does not compute. */
  readonly columns: readonly string[];
  /** The name of the rowid, where it is no column: rows keep theirs. */
  readonly rowid: string | null;
};

/** An empty set of keys of a table; rows are copied by `copyRows` when it is filled. */
export function createKeys(sqlite: DatabaseSync, pair: FollowPair, number: number): SourceRows {
  const [keysTable, copyTable, rowsView] = [
    `safekeep_back_keys_${number}`,
    `safekeep_back_copy_${number}`,
    `safekeep_back_rows_${number}`,
  ];
  sqlite.exec(`CREATE TEMP TABLE ${keysTable} (${pair.key.map((_, at) => keyName(at)).join(', ')})`);
  const computed = new Set(
    sqlite
      .prepare(`SELECT name FROM pragma_table_xinfo(?, 'main') WHERE hidden > 1`)
      .all(pair.source)
      .map((row) => String(row['name'])),
  );
  const columns = pair.form.columns.map(({ source }) => source).filter((name) => !computed.has(name));
  const rowid =
    pair.replacedBy.flatMap(([only, ...more]) =>
      only !== undefined && more.length === 0 && !pair.form.columns.some(({ source }) => source === only.name) ? [only.name] : [],
    )[0] ?? null;
  return { pair, keysTable, copyTable, rowsView, columns, rowid };
}

/** Adds a key. The caller names each once. */
export function keyAdder(sqlite: DatabaseSync, { keysTable, pair }: SourceRows): (key: readonly SQLInputValue[]) => void {
  const insert = sqlite.prepare(`INSERT INTO temp.${keysTable} VALUES (${pair.key.map(() => '?').join(', ')})`);
  return (key) => void insert.run(...key);
}

/** Adds the keys of every row of the source that are not there yet. */
export function addAllKeys(sqlite: DatabaseSync, { keysTable, pair }: SourceRows): void {
  const keys = pair.key.map(({ name }) => `t.${quoteSqlite(name)}`).join(', ');
  sqlite.exec(
    `INSERT INTO temp.${keysTable} SELECT ${keys} FROM main.${quoteSqlite(pair.source)} AS t WHERE NOT EXISTS (SELECT 1 FROM temp.${keysTable} AS k WHERE ${sameKey(pair, 't', 'k')})`,
  );
}

export function copyRows(sqlite: DatabaseSync, { keysTable, copyTable, rowsView, pair, columns, rowid }: SourceRows): void {
  const table = quoteSqlite(pair.source);
  const from = `FROM temp.${keysTable} AS k CROSS JOIN main.${table} AS t ON ${sameKey(pair, 't', 'k')}`;
  const named = (names: readonly string[]): string =>
    names.map((name) => `t.${quoteSqlite(name)} AS ${quoteSqlite(name)}`).join(', ');
  const place = rowid === null ? '' : `, t.${rowid} AS safekeep_place`;
  sqlite.exec(`CREATE TEMP TABLE ${copyTable} AS SELECT ${named(columns)}${place} ${from}`);
  sqlite.exec(`CREATE INDEX temp.${copyTable}_key ON ${copyTable} (${pair.key.map(({ name }) => quoteSqlite(name)).join(', ')})`);
  sqlite.exec(`CREATE TEMP VIEW ${rowsView} AS SELECT ${named(pair.form.columns.map(({ source }) => source))} ${from}`);
}

export type CopyEditor = {
  readonly remove: (key: readonly SQLInputValue[]) => void;
  readonly add: (values: readonly SQLInputValue[]) => void;
  readonly change: (key: readonly SQLInputValue[], column: string, value: SQLInputValue) => void;
};

/** Statements over the copy; values of `add` stand in the order of `columns`. */
export function copyEditor(sqlite: DatabaseSync, { copyTable, pair, columns }: SourceRows): CopyEditor {
  const whole = pair.key.map(({ name }) => `${quoteSqlite(name)} = ?`).join(' AND ');
  const remove = sqlite.prepare(`DELETE FROM temp.${copyTable} WHERE ${whole}`);
  const add = sqlite.prepare(
    `INSERT INTO temp.${copyTable} (${columns.map(quoteSqlite).join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
  );
  const change = new Map(
    columns.map((column) => [column, sqlite.prepare(`UPDATE temp.${copyTable} SET ${quoteSqlite(column)} = ? WHERE ${whole}`)]),
  );
  return {
    remove: (key) => void remove.run(...key),
    add: (values) => void add.run(...values),
    change: (key, column, value) => void change.get(column)?.run(value, ...key),
  };
}

/** Takes the rows with these keys out of the table. */
export function deleteRows(sqlite: DatabaseSync, { keysTable, pair }: SourceRows): void {
  const key = pair.key.map(({ name, collation }) => `${quoteSqlite(name)} COLLATE ${collation}`).join(', ');
  const found = pair.key.map(({ name }) => `t.${quoteSqlite(name)}`).join(', ');
  const table = quoteSqlite(pair.source);
  sqlite.exec(
    `DELETE FROM main.${table} WHERE (${key}) IN (SELECT ${found} FROM temp.${keysTable} AS k CROSS JOIN main.${table} AS t ON ${sameKey(pair, 't', 'k')})`,
  );
}

/** Puts the copies into the table; returns how many. */
export function insertRows(sqlite: DatabaseSync, { copyTable, pair, columns, rowid }: SourceRows): number {
  const names = columns.map(quoteSqlite).join(', ');
  const [into, from] = rowid === null ? ['', ''] : [`, ${rowid}`, ', safekeep_place'];
  // A row without a place of its own gets the next free one.
  return Number(
    sqlite
      .prepare(`INSERT INTO main.${quoteSqlite(pair.source)} (${names}${into}) SELECT ${names}${from} FROM temp.${copyTable}`)
      .run().changes,
  );
}

/** Runs `work` while no trigger of these tables fires, and puts them all back as they were but those that close the file. */
export function withoutTriggers(sqlite: DatabaseSync, pairs: readonly FollowPair[], work: () => void): string[] {
  const tables = new Set(pairs.map(({ source }) => source));
  const rows = sqlite.prepare(`SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid`).all();
  const triggers = rows
    .filter((row) => tables.has(String(row['tbl_name'])))
    .map((row) => ({ name: String(row['name']), sql: String(row['sql']) }));
  for (const { name } of triggers) sqlite.exec(`DROP TRIGGER ${quoteSqlite(name)}`);
  work();
  const kept = triggers.filter(({ name }) => !isClosing(name));
  for (const { sql } of kept) sqlite.exec(sql);
  return kept.map(({ name }) => name);
}
