import type pg from 'pg';
import { codeOf } from '@safekeep/core';
import { quoteName, quoteTable } from '@safekeep/postgres';
import { createTableSql, type TargetTable } from '../objects/index.ts';
import type { RowCursor } from '../source/cursor.ts';
import { CopyIn } from './copy-in.ts';
import { type RowPlan, writeRows, type WrittenRows } from './write-rows.ts';

export type TableLoad = {
  readonly schema: string;
  readonly target: TargetTable;
  /** `plain`: computed columns are needed too. */
  readonly openRows: (plain: boolean) => RowCursor;
  /** How to send the rows; `plain`: the server does not compute generated columns, they are sent like the others. */
  readonly rowPlan: (plain: boolean) => RowPlan;
};

export type LoadedTable = WrittenRows & {
  readonly taken: number;
  /** Why the server did not take the generated columns as such; null normally. */
  readonly generatedRefused: string | null;
};

/**
 * Makes the table and fills it, both in one transaction: only so can the rows be written frozen (no second writing by VACUUM,
 * no write-ahead log at all under wal_level = minimal), and only so is there never a half table.
 */
export async function loadTable(client: pg.ClientBase, load: TableLoad): Promise<LoadedTable> {
  const { schema, target } = load;
  await client.query('BEGIN');
  await client.query('SET LOCAL synchronous_commit = off');
  const generatedRefused = await createTable(client, schema, target);
  const plan = load.rowPlan(generatedRefused !== null);
  const columns = plan.columns.map(({ name }) => quoteName(name)).join(', ');
  const copy = new CopyIn(
    client,
    `COPY ${quoteTable({ schema, table: target.name })} (${columns}) FROM STDIN (FORMAT binary, FREEZE)`,
  );
  const written = await writeRows(load.openRows(generatedRefused !== null), copy, plan);
  const taken = await copy.finish();
  await client.query('COMMIT');
  return { ...written, taken, generatedRefused };
}

async function createTable(client: pg.ClientBase, schema: string, target: TargetTable): Promise<string | null> {
  if (!target.columns.some((column) => column.generated)) {
    await client.query(createTableSql(schema, target));
    return null;
  }
  await client.query('SAVEPOINT generated');
  try {
    await client.query(createTableSql(schema, target));
    return null;
  } catch (error) {
    if (!/^(?:0A|22|42)/.test(codeOf(error) ?? '') || !(error instanceof Error)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT generated');
    await client.query(createTableSql(schema, target, { plain: true }));
    return error.message;
  }
}
