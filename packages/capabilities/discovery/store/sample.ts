import type pg from 'pg';
import { codeOf, sqlStateOf, tableRef } from '@safekeep/core';
import { quoteName, quoteTable, type Table } from '@safekeep/postgres';
import { VALUE_LETTERS } from './statistics.ts';

/** Rows of a table that are looked at; enough for the interval of a share to be within some per cent. */
const ROWS_AT_MOST = 1000;
/** Distinct values of a column that are kept while it is looked at. */
const DISTINCT_AT_MOST = 400;
/** Pages that are read of a large table. */
const PAGES_WANTED = 60;
/** Up to this size a table is read from its beginning: sampling would save nothing. */
const SMALL_PAGES = 200;
/** Values that are stored in more bytes than this are not taken out of their place at all: 50 MB would be read for 256 letters. */
const STORED_BYTES_AT_MOST = 65_536;
/** A document is read whole or not at all; half of one cannot be taken apart. */
const DOCUMENT_LETTERS = 16_384;
/** Patience with one table, in the session's own clock. */
const SAMPLE_TIMEOUT_MS = 2000;

/** A materialized view WITH NO DATA: there is nothing in it to look at. */
const NOT_POPULATED = '55000';

export type SampleWish = { readonly column: string; readonly document: boolean };

/** By column: distinct values, cut to length. */
export type TableSample = ReadonlyMap<string, readonly string[]>;

/** Why a table could not be looked at, in a stable word and in plain ones. Never a value. */
export type TableTrouble = {
  readonly code: 'no-right' | 'row-security' | 'gone' | 'timeout' | 'locked' | 'foreign-server' | 'unreadable';
  readonly message: string;
};

/**
 * Looks at some rows of a table, the same ones for the same seed. Runs in a savepoint of the caller's read-only transaction, with
 * a time limit of its own; whatever goes wrong is told and leaves the transaction good.
 */
export async function sampleTable(
  client: pg.ClientBase,
  table: Table,
  {
    wishes,
    seed,
    timeoutMs = SAMPLE_TIMEOUT_MS,
  }: { readonly wishes: readonly SampleWish[]; readonly seed: number; readonly timeoutMs?: number },
): Promise<TableSample | TableTrouble> {
  const rows = await withPatience<string | null>(client, statement(table, wishes, seed), timeoutMs);
  if ('code' in rows) return rows;
  return new Map(wishes.map(({ column }, place) => [column, distinct(rows.map((row) => row[place] ?? null))]));
}

/** In how many rows each of these columns has a value, asked of every row, within this time. */
export async function countFilled(
  client: pg.ClientBase,
  table: Table,
  { columns, timeoutMs }: { readonly columns: readonly string[]; readonly timeoutMs: number },
): Promise<ReadonlyMap<string, number> | TableTrouble> {
  const counts = columns.map((column) => `pg_catalog.count(${quoteName(column)})::float8`).join(', ');
  const rows = await withPatience<number>(client, `select ${counts} from ${quoteTable(tableRef(table))}`, timeoutMs);
  if ('code' in rows) return rows;
  const [row] = rows;
  return new Map(row === undefined ? [] : columns.map((column, place) => [column, row[place] ?? 0]));
}

/** The rows of one statement, each a list of its columns. Whatever goes wrong with the table leaves the transaction good. */
async function withPatience<Value>(
  client: pg.ClientBase,
  text: string,
  timeoutMs: number,
): Promise<readonly (readonly Value[])[] | TableTrouble> {
  await client.query('savepoint safekeep_sample');
  try {
    await client.query(
      "select pg_catalog.set_config('statement_timeout', $1, true), pg_catalog.set_config('lock_timeout', $1, true)",
      [`${timeoutMs}ms`],
    );
    const { rows } = await client.query<Value[]>({ text, rowMode: 'array' });
    // Back, not forward: that gives up the locks, of which a server has a few thousand for all its sessions.
    await client.query('rollback to savepoint safekeep_sample; release savepoint safekeep_sample');
    return rows;
  } catch (error) {
    const trouble = codeOf(error) === NOT_POPULATED ? [] : troubleOf(error);
    // Without a session there is no going on: the error passes through.
    if (trouble === undefined) throw error;
    await client.query('rollback to savepoint safekeep_sample; release savepoint safekeep_sample');
    return trouble;
  }
}

/** Also for what went wrong elsewhere with a table. Undefined: not of this kind, such as a lost connection. */
function troubleOf(error: unknown): TableTrouble | undefined {
  const code = sqlStateOf(error);
  if (code === undefined || code.startsWith('08') || code.startsWith('57P')) return undefined;
  switch (code) {
    case '42501':
      return { code: 'no-right', message: 'this login may not read it' };
    case '42P01':
    case '42703':
    case 'XX000':
      return { code: 'gone', message: 'it was dropped or changed while it was looked at' };
    case '57014':
      return { code: 'timeout', message: 'looking at it took too long' };
    case '55P03':
      return { code: 'locked', message: 'somebody else holds it locked' };
    case 'HV000':
    case 'HV00N':
      return { code: 'foreign-server', message: 'the server behind it does not answer' };
    default:
      return { code: 'unreadable', message: `reading it failed (${code})` };
  }
}

function statement(table: Table, wishes: readonly SampleWish[], seed: number): string {
  const columns = wishes.map(({ column, document }) => {
    const name = quoteName(column);
    // Printed as its type prints it. `::text` would call the cast that the owner of a type wrote, with the rights of whoever scans.
    const printed = `pg_catalog.format('%s', ${name})`;
    const whole = document
      ? `case when pg_catalog.length(${printed}) <= ${DOCUMENT_LETTERS} then ${printed} end`
      : `pg_catalog.rtrim(pg_catalog.left(${printed}, ${VALUE_LETTERS}))`;
    return `case when pg_catalog.pg_column_size(${name}) <= ${STORED_BYTES_AT_MOST} then ${whole} end`;
  });
  return `select ${columns.join(', ')} from ${quoteTable(tableRef(table))} ${sampling(table, seed)} limit ${ROWS_AT_MOST}`;
}

/** TABLESAMPLE SYSTEM reads whole pages, so it costs the same at any size; views and foreign tables do not have it. */
function sampling({ kind, pages }: Table, seed: number): string {
  const canSample = kind === 'table' || kind === 'partitioned-table' || kind === 'materialized-view';
  if (!canSample || pages <= SMALL_PAGES) return '';
  const percent = Math.min(100, Math.max(0.0001, (PAGES_WANTED / pages) * 100));
  return `tablesample system (${percent.toFixed(6)}) repeatable (${Math.trunc(seed)})`;
}

function distinct(values: readonly (string | null)[]): readonly string[] {
  const found = new Set<string>();
  for (const value of values) {
    if (value === null) continue;
    found.add(value);
    if (found.size >= DISTINCT_AT_MOST) break;
  }
  return [...found];
}
