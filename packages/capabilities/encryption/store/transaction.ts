import type pg from 'pg';
import { codeOf, SafekeepError } from '@safekeep/core';
import type { Queryable } from '@safekeep/postgres';

const EPOCH_LOCK = "pg_catalog.hashtextextended('safekeep epoch ' || $1::text, 0)";

/**
 * Until the transaction ends the epoch of the tenant stays what it is, for whoever makes keys under it. Not a lock on its row:
 * under REPEATABLE READ that may not be visible yet.
 */
export async function holdEpoch(db: Queryable, tenant: string): Promise<void> {
  await db.query(`select pg_catalog.pg_advisory_xact_lock_shared(${EPOCH_LOCK})`, [tenant]);
}

/** Waits until nobody is making keys under the old epoch. Throws `key-busy` where that takes too long. */
export async function takeEpoch(client: pg.ClientBase, tenant: string, patienceMs: number): Promise<void> {
  await client.query("select pg_catalog.set_config('lock_timeout', $1, true)", [`${patienceMs}ms`]);
  try {
    await client.query(`select pg_catalog.pg_advisory_xact_lock(${EPOCH_LOCK})`, [tenant]);
  } catch (cause) {
    if (codeOf(cause) === '55P03') throw new SafekeepError('key-busy', {}, { cause });
    throw cause;
  }
}

/** One rotation of a tenant at a time, on all machines, until the transaction ends. */
export async function takeRotation(client: pg.ClientBase, tenant: string): Promise<void> {
  const { rows } = await client.query<{ taken: boolean }>(
    "select pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('safekeep key rotation ' || $1::text, 0)) as taken",
    [tenant],
  );
  if (rows[0]?.taken !== true) throw new SafekeepError('key-busy');
  // It waits while others work for it.
  await client.query('set local idle_in_transaction_session_timeout = 0');
}

/** Until the transaction ends: rather an error than a count of those rows only that row security lets this login see. */
export async function seeAllRows(client: pg.ClientBase): Promise<void> {
  await client.query('set local row_security = off');
}

/** The versions of one scope are made one after the other. */
export async function takeScope(client: pg.ClientBase, tenant: string, scope: string): Promise<void> {
  await client.query(
    "select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('safekeep key scope ' || $1::text || ' ' || $2::text, 0))",
    [tenant, scope],
  );
}

export type Standing = { readonly tenant: string | null; readonly isolation: string };

/** Whose transaction it is, and whether its statements see what was committed since it began. */
export async function standingOf(db: Queryable): Promise<Standing> {
  const { rows } = await db.query(
    "select safekeep.current_tenant() as tenant, pg_catalog.current_setting('transaction_isolation') as isolation",
    [],
  );
  const [found] = rows as readonly Standing[]; // The statement names these columns.
  if (found === undefined) throw new Error('A select of one row answers one row');
  return found;
}

export async function tenantsSeen(db: Queryable): Promise<readonly string[]> {
  const { rows } = await db.query('select tenant_id as tenant from safekeep.tenants order by tenant_id', []);
  return (rows as readonly { readonly tenant: string }[]).map(({ tenant }) => tenant); // As the statement says.
}
