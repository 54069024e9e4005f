import type { DatabaseSync } from 'node:sqlite';
import { quoteSqlite } from './quote.ts';

export function countSourceRows(sqlite: DatabaseSync, table: string): number {
  return Number(sqlite.prepare(`SELECT count(*) AS count FROM ${quoteSqlite(table)}`).get()?.['count']);
}

/** The last rowid: found at once, and in most tables near the count, for which the table would have to be read. 0 where there are no rows. */
export function lastRowid(sqlite: DatabaseSync, table: string): number {
  return Number(sqlite.prepare(`SELECT CAST(max(rowid) AS REAL) AS last FROM ${quoteSqlite(table)}`).get()?.['last'] ?? 0);
}

/** Whether every rowid is a number that JavaScript holds exactly. */
export function hasSafeRowids(sqlite: DatabaseSync, table: string): boolean {
  const range = sqlite
    .prepare(`SELECT CAST(min(rowid) AS TEXT) AS first, CAST(max(rowid) AS TEXT) AS last FROM ${quoteSqlite(table)}`)
    .get();
  return [range?.['first'], range?.['last']].every(
    (text) => text === null || text === undefined || Math.abs(Number(text)) < Number.MAX_SAFE_INTEGER,
  );
}
