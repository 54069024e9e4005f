import type pg from 'pg';

/**
 * Opens the transaction in which values are looked at: nothing can be written in it, and every table that is read is named with
 * its schema. A statement that row security would filter fails: some rows are not taken for all, and no policy, which is code of
 * the table's owner, runs with the rights of this login.
 */
export async function beginReading(client: pg.ClientBase): Promise<void> {
  await client.query(
    "begin isolation level read committed read only; set local search_path = pg_catalog, pg_temp; set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local jit = off; set local row_security = off",
  );
}

export async function endReading(client: pg.ClientBase): Promise<void> {
  await client.query('rollback');
}

/** Whether row security hides rows of these tables from this login, by oid. */
export async function hiddenTables(client: pg.ClientBase, tables: readonly number[]): Promise<ReadonlySet<number>> {
  const { rows } = await client.query<{ oid: number }>(
    'select c.oid from pg_catalog.pg_class as c where c.oid = any ($1) and c.relrowsecurity and pg_catalog.row_security_active(c.oid)',
    [tables],
  );
  return new Set(rows.map(({ oid }) => oid));
}
