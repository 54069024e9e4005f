import type pg from 'pg';

/**
 * Takes the right to import into a schema for the length of a transaction: it ends with the connection, whatever ends that,
 * and works through a pooler in transaction mode. False where another run holds it.
 */
export async function takeLease(client: pg.ClientBase, schema: string): Promise<boolean> {
  await client.query('BEGIN');
  await client.query('SET LOCAL idle_in_transaction_session_timeout = 0');
  const { rows } = await client.query<{ taken: boolean }>(
    "SELECT pg_try_advisory_xact_lock(hashtextextended('safekeep import into ' || $1, 0)) AS taken",
    [schema],
  );
  return rows[0]?.taken === true;
}

/** Gives it back where the run went through; a run that throws loses its connection, and the lease with it. */
export async function releaseLease(client: pg.ClientBase): Promise<void> {
  await client.query('ROLLBACK');
}
