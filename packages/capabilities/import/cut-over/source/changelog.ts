import type { DatabaseSync } from 'node:sqlite';
import { quoteSqlite } from '../../source/quote.ts';
import type { FollowedTable, KeyColumn } from '../model.ts';
import { CHANGELOG, CHANGELOG_ABOUT, closingTrigger, isClosing, isOurs, loggingTrigger, type TriggerEvent } from '../names.ts';

// Only plain SQL of SQLite's first versions stands in these triggers: a file is refused as a whole by an older library that
// does not understand one of its triggers.

/** Makes the changelog and the triggers that fill it. Runs inside the caller's transaction. */
export function createChangelog(sqlite: DatabaseSync, tables: readonly FollowedTable[], changelogId: string): void {
  const widest = Math.max(1, ...tables.map(({ key }) => key.length));
  // Columns without a type keep every value as it is: 1, 1.0 and '1' stay three.
  const keys = Array.from({ length: widest }, (_, at) => keyName(at)).join(', ');
  sqlite.exec(`CREATE TABLE ${CHANGELOG_ABOUT} (changelog_id TEXT NOT NULL)`);
  sqlite.prepare(`INSERT INTO ${CHANGELOG_ABOUT} VALUES (?)`).run(changelogId);
  // Rows are never deleted from it, so that its numbers only rise, without AUTOINCREMENT, which would leave a table behind.
  sqlite.exec(
    `CREATE TABLE ${CHANGELOG} (sequence INTEGER PRIMARY KEY, source_table TEXT NOT NULL, operation TEXT NOT NULL, ${keys})`,
  );
  for (const { sql } of loggingTriggers(tables)) sqlite.exec(sql);
}

/** Takes out whatever of ours stands in the file. Runs inside the caller's transaction. */
export function dropChangelog(sqlite: DatabaseSync): void {
  for (const name of ourTriggers(sqlite)) sqlite.exec(`DROP TRIGGER ${quoteSqlite(name)}`);
  sqlite.exec(`DROP TABLE IF EXISTS ${CHANGELOG}`);
  sqlite.exec(`DROP TABLE IF EXISTS ${CHANGELOG_ABOUT}`);
}

export function hasChangelog(sqlite: DatabaseSync): boolean {
  return sqlite.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?`).get(CHANGELOG) !== undefined;
}

export function readChangelogId(sqlite: DatabaseSync): string | undefined {
  if (!hasChangelog(sqlite)) return undefined;
  const value = sqlite.prepare(`SELECT changelog_id FROM ${CHANGELOG_ABOUT}`).get()?.['changelog_id'];
  return typeof value === 'string' ? value : undefined;
}

/** The number of the newest entry, 0 where there is none. */
export function newestEntry(sqlite: DatabaseSync): number {
  return Number(sqlite.prepare(`SELECT coalesce(max(sequence), 0) AS newest FROM ${CHANGELOG}`).get()?.['newest']);
}

/** Tables that have lost a trigger, or have another one by its name: dropped and made anew by the application, mostly. */
export function brokenTables(sqlite: DatabaseSync, tables: readonly FollowedTable[]): string[] {
  const rows = sqlite.prepare(`SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'`).all();
  const standing = new Map(rows.map((row) => [String(row['name']), String(row['sql'])]));
  return [...new Set(loggingTriggers(tables).flatMap(({ name, table, sql }) => (standing.get(name) === sql ? [] : [table])))];
}

/** Makes every write to the tables fail with `message`. Runs inside the caller's transaction. */
export function closeTables(sqlite: DatabaseSync, tables: readonly FollowedTable[], message: string): void {
  const events: readonly TriggerEvent[] = ['insert', 'update', 'delete'];
  for (const [number, { source }] of tables.entries()) {
    for (const event of events) {
      const name = closingTrigger(number, event);
      sqlite.exec(
        `CREATE TRIGGER IF NOT EXISTS ${name} BEFORE ${event.toUpperCase()} ON ${quoteSqlite(source)} BEGIN SELECT RAISE(ABORT, ${textLiteral(message)}); END`,
      );
    }
  }
}

export function openTables(sqlite: DatabaseSync): void {
  for (const name of ourTriggers(sqlite).filter(isClosing)) sqlite.exec(`DROP TRIGGER ${quoteSqlite(name)}`);
}

function ourTriggers(sqlite: DatabaseSync): string[] {
  const rows = sqlite.prepare(`SELECT name FROM sqlite_schema WHERE type = 'trigger'`).all();
  return rows.map((row) => String(row['name'])).filter(isOurs);
}

export function keyName(at: number): string {
  return `key_${at + 1}`;
}

type LoggingTrigger = { readonly name: string; readonly table: string; readonly sql: string };

function loggingTriggers(tables: readonly FollowedTable[]): LoggingTrigger[] {
  return tables.flatMap((table, number) => {
    const trigger = (moment: 'before' | 'after', event: TriggerEvent, statements: readonly string[]): LoggingTrigger[] => {
      if (statements.length === 0) return [];
      const name = loggingTrigger(number, moment, event);
      const sql = `CREATE TRIGGER ${name} ${moment.toUpperCase()} ${event.toUpperCase()} ON ${quoteSqlite(table.source)} BEGIN ${statements.join('; ')}; END`;
      return [{ name, table: table.source, sql }];
    };
    const log = (operation: string, row: 'OLD' | 'NEW'): string => `${insertInto(table)} SELECT ${entry(table, operation, row)}`;
    return [
      ...trigger(
        'before',
        'insert',
        table.replacedBy.map((index) => logReplaced(table, index, '')),
      ),
      ...trigger(
        'before',
        'update',
        table.replacedBy.map((index) => logReplaced(table, index, ` AND (${isAnotherKey(table, '', 'OLD.')})`)),
      ),
      ...trigger('after', 'insert', [log('insert', 'NEW')]),
      ...trigger('after', 'update', [log('update', 'OLD'), `${log('update', 'NEW')} WHERE ${isAnotherKey(table, 'NEW.', 'OLD.')}`]),
      ...trigger('after', 'delete', [log('delete', 'OLD')]),
    ];
  });
}

function insertInto({ key }: FollowedTable): string {
  return `INSERT INTO ${CHANGELOG} (source_table, operation, ${key.map((_, at) => keyName(at)).join(', ')})`;
}

function entry({ source, key }: FollowedTable, operation: string, row: 'OLD' | 'NEW' | null): string {
  const values = key.map(({ name }) => `${row === null ? '' : `${row}.`}${quoteSqlite(name)}`);
  return `${textLiteral(source)}, ${textLiteral(operation)}, ${values.join(', ')}`;
}

function logReplaced(table: FollowedTable, index: readonly KeyColumn[], condition: string): string {
  const equal = index.map(({ name, collation }) => `${collated(name, collation)} = NEW.${quoteSqlite(name)}`).join(' AND ');
  return `${insertInto(table)} SELECT ${entry(table, 'replace', null)} FROM ${quoteSqlite(table.source)} WHERE ${equal}${condition}`;
}

/** Byte for byte and by storage class, whatever the column's own way to compare. */
function isAnotherKey({ key }: FollowedTable, one: string, other: string): string {
  return key
    .map(({ name }) => {
      const [left, right] = [`${one}${quoteSqlite(name)}`, `${other}${quoteSqlite(name)}`];
      return `typeof(${left}) <> typeof(${right}) OR ${left} COLLATE BINARY IS NOT ${right}`;
    })
    .join(' OR ');
}

function collated(name: string, collation: string): string {
  return `${quoteSqlite(name)} COLLATE ${collation}`;
}

function textLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
