import type { DatabaseSync } from 'node:sqlite';
import type pg from 'pg';
import { codeOf, SafekeepError } from '@safekeep/core';
import { quoteName, quoteTable } from '@safekeep/postgres';
import { encodeField, encoderFor, FIELD_OVERHEAD_BYTES, type Encoder } from '../encode/encoders.ts';
import type { CopyBuffer } from '../encode/copy-buffer.ts';
import type { ColumnForm } from '../prove/digest-form.ts';
import { targetDigest } from '../prove/target-digest.ts';
import { isStorable } from '../scan/column-scan.ts';
import { bigintOf } from '../source/words.ts';
import { INTEGER, NULL, TEXT, type Row } from '../source/row.ts';
import type { SqlCursor } from '../source/sql-cursor.ts';
import { CopyIn } from '../store/copy-in.ts';
import {
  changedTables,
  digestOf,
  givenOut,
  openChangedRows,
  openKeys,
  type ChangedTable,
  type Interval,
} from './source/changed-rows.ts';
import { keyForms } from './columns.ts';
import type { FollowPair } from './model.ts';
import { createKeyedView, createKeysTable, deleteByKeys, dropView } from './store/changed-keys.ts';
import { advanceIdentity, generatedColumns } from './store/target-tables.ts';

export type RoundContext = {
  readonly schema: string;
  readonly pairs: readonly FollowPair[];
  readonly signal: AbortSignal;
  readonly onProgress: (rows: number) => void;
};

export type RoundCounts = { readonly written: number; readonly deleted: number };

/**
 * Brings the rows that an interval of the changelog speaks of to where they are in the source now, in the caller's two
 * transactions: one state of the source becomes one state of the target.
 *
 * All changed rows go first and then come back as they are, for two rows may have swapped what is unique. Doing it again
 * changes nothing. What was written is read back and compared before anybody else sees it.
 */
export async function applyRound(
  client: pg.ClientBase,
  sqlite: DatabaseSync,
  interval: Interval,
  context: RoundContext,
): Promise<RoundCounts> {
  const changed = changedTables(sqlite, context.pairs, interval);
  let [written, deleted] = [0, 0];
  for (const table of changed) deleted += await deleteChanged(client, sqlite, table, context);
  for (const table of changed) {
    context.signal.throwIfAborted();
    written += await writeChanged(client, sqlite, table, context);
    context.onProgress(written);
  }
  for (const table of changed) await proveChanged(client, sqlite, table, context.schema);
  for (const { pair } of changed)
    await advanceIdentity(client, { schema: context.schema, table: pair.target }, givenOut(sqlite, pair.source));
  return { written, deleted };
}

/** Also leaves the keys behind, as a temporary table of the target. */
async function deleteChanged(
  client: pg.ClientBase,
  sqlite: DatabaseSync,
  table: ChangedTable,
  { schema }: RoundContext,
): Promise<number> {
  const keyed = { schema, pair: table.pair, keysTable: table.keysTable };
  const names = await createKeysTable(client, keyed);
  const copy = new CopyIn(client, `COPY pg_temp.${table.keysTable} (${names}) FROM STDIN (FORMAT binary)`);
  const encoders = keyForms(table.pair).map(({ type, epoch }) => encoderFor(type, epoch));
  const cursor = openKeys(sqlite, table);
  while (cursor.next()) {
    await makeRoom(cursor.row, encoders.length, copy);
    writeKey(cursor.row, encoders, copy.buffer);
  }
  await copy.finish();
  return await deleteByKeys(client, keyed);
}

async function writeChanged(
  client: pg.ClientBase,
  sqlite: DatabaseSync,
  table: ChangedTable,
  { schema, signal }: RoundContext,
): Promise<number> {
  const { pair } = table;
  const generated = await generatedColumns(client, schema, pair.target);
  const columns = allColumns(pair).filter(({ column }) => !generated.has(column.target));
  return await copyRowsInto(client, openChangedRows(sqlite, table), {
    pair,
    table: quoteTable({ schema, table: pair.target }),
    columns,
    signal,
  });
}

type CopiedColumn = { readonly at: number; readonly column: ColumnForm; readonly encoder: Encoder };

export function allColumns({ form }: FollowPair): CopiedColumn[] {
  return form.columns.map((column, at) => ({ at, column, encoder: encoderFor(column.type, column.epoch) }));
}

export type RowsCopy = {
  readonly pair: FollowPair;
  /** Quoted. */
  readonly table: string;
  readonly columns: readonly CopiedColumn[];
  readonly signal?: AbortSignal;
};

/** Sends the rows of the cursor, which stands over the columns of the form, and perhaps the entry of the changelog behind them. */
export async function copyRowsInto(
  client: pg.ClientBase,
  cursor: SqlCursor,
  { pair, table, columns, signal }: RowsCopy,
): Promise<number> {
  const names = columns.map(({ column }) => quoteName(column.target)).join(', ');
  const { row } = cursor;
  try {
    const copy = new CopyIn(client, `COPY ${table} (${names}) FROM STDIN (FORMAT binary)`);
    while (cursor.next()) {
      signal?.throwIfAborted();
      await makeRoom(row, columns.length, copy);
      copy.buffer.int16(columns.length);
      for (const { at, column, encoder } of columns) {
        const holds = isText(row, at, column.type) ? isStorable(row.body, row.start[at] ?? 0, row.size[at] ?? 0) : true;
        if (!holds || !encodeField(encoder, row, at, copy.buffer)) throw unfit(row, pair, column);
      }
    }
    return await copy.finish();
  } catch (error) {
    throw refused(error, pair);
  }
}

function isText(row: Row, at: number, type: string): boolean {
  return row.kind[at] === TEXT && type !== 'bytea';
}

async function makeRoom(row: Row, columns: number, copy: CopyIn): Promise<void> {
  const bound = row.recordBytes + 2 + columns * FIELD_OVERHEAD_BYTES;
  if (!copy.hasRoom(bound)) await copy.makeRoom(bound);
}

/** Appends a key, or nothing where a part of it is NULL or does not fit: the target never had such a row. */
function writeKey(row: Row, encoders: readonly Encoder[], out: CopyBuffer): void {
  const before = out.at;
  out.int16(encoders.length);
  for (const [column, encoder] of encoders.entries()) {
    if (row.kind[column] !== NULL && encodeField(encoder, row, column, out)) continue;
    out.at = before;
    return;
  }
}

// Class 22: a value is not of its type; class 23: a constraint of the target does not hold.
const REFUSED = /^2[23]/;

function refused(error: unknown, pair: FollowPair): unknown {
  if (!(error instanceof Error) || !REFUSED.test(codeOf(error) ?? '')) return error;
  // The message of PostgreSQL names constraints and types; values stand in its detail, which is left out.
  return new SafekeepError('import-follow-refused', { table: pair.source, reason: error.message }, { cause: error });
}

function unfit(row: Row, pair: FollowPair, column: ColumnForm): SafekeepError {
  const last = pair.form.columns.length;
  const isEntry = row.kind[last] === INTEGER;
  const place = isEntry
    ? `entry ${bigintOf(row.high[last] ?? 0, row.low[last] ?? 0)} of safekeep_changelog`
    : 'a row that was written since the cut-over';
  return new SafekeepError('import-follow-unfit', { column: `${pair.source}.${column.source}`, type: column.type, place });
}

/** Reads the rows with these keys back from the server and compares them with the source, value by value. */
async function proveChanged(
  client: pg.ClientBase,
  sqlite: DatabaseSync,
  { pair, keysTable, rowsView }: ChangedTable,
  schema: string,
): Promise<void> {
  await createKeyedView(client, { schema, pair, keysTable }, rowsView);
  const wanted = digestOf(sqlite, rowsView, pair.form);
  const found = await targetDigest(client, { schema: 'pg_temp', table: rowsView, form: pair.form });
  await dropView(client, rowsView);
  if (wanted.sha256 === found.sha256) return;
  const differing = wanted.columns
    .filter(({ sum, nulls }, at) => sum !== found.columns[at]?.sum || nulls !== found.columns[at]?.nulls)
    .map(({ name }) => name);
  throw new SafekeepError('import-follow-mismatch', {
    table: pair.source,
    finding:
      wanted.rows === found.rows
        ? `the values of ${differing.join(', ')} differ`
        : `${wanted.rows} rows in the source, ${found.rows} in the target`,
  });
}
