import type pg from 'pg';
import type { TableRef } from '@safekeep/core';
import { quoteTable, setTenant } from '@safekeep/postgres';
import type { LockMode } from '../model.ts';

// Questions to the catalogue look so costly to the planner that it would compile each, which takes seconds longer than to answer it.
const SETTINGS = 'set local search_path = pg_catalog, pg_temp; set local jit = off';

/**
 * Takes the right to change the user's database for the length of a transaction: it ends with the connection, whatever ends
 * that, and works through a pooler in transaction mode. False where another run has it.
 */
export async function takeLease(client: pg.ClientBase): Promise<boolean> {
  await client.query('begin');
  // It idles while the work is done on another connection.
  await client.query('set local idle_in_transaction_session_timeout = 0');
  const { rows } = await client.query<{ taken: boolean }>(
    "select pg_try_advisory_xact_lock(hashtextextended('safekeep apply', 0)) as taken",
  );
  return rows[0]?.taken === true;
}

/** Ends the lease, or a transaction that wrote nothing. */
export async function rollback(client: pg.ClientBase): Promise<void> {
  await client.query('rollback');
}

/** A transaction of the tenant, in which no name is found by a path. */
export async function begin(client: pg.ClientBase, tenant: string): Promise<void> {
  await client.query(`begin; ${SETTINGS}`);
  await setTenant(client, tenant);
}

/** For the rest of the transaction. */
export async function limitLockWaits(client: pg.ClientBase, timeoutMs: number): Promise<void> {
  await client.query("select set_config('lock_timeout', $1, true)", [`${timeoutMs}ms`]);
}

/** A transaction of the tenant for looking only: nothing can be written. One moment for all that is read. */
export async function beginReading(client: pg.ClientBase, tenant: string): Promise<void> {
  await client.query(`begin isolation level repeatable read, read only; ${SETTINGS}`);
  await setTenant(client, tenant);
}

export async function commit(client: pg.ClientBase): Promise<void> {
  await client.query('commit');
}

export type TableLock = { readonly mode: LockMode; readonly tables: readonly TableRef[] };

/** Locks tables themselves, without their partitions and children. They must be in one order everywhere, or two runs block each other. */
export async function lockTables(client: pg.ClientBase, locks: readonly TableLock[]): Promise<void> {
  for (const { mode, tables } of locks) {
    const names = tables.map((table) => `only ${quoteTable(table)}`).join(', ');
    await client.query(`lock table ${names} in ${mode} mode`);
  }
}

/** One statement of a step, as the plan showed it. */
export async function runStatement(client: pg.ClientBase, statement: string): Promise<void> {
  await client.query(statement);
}

/**
 * PostgreSQL lets superusers alone create event triggers (manual, CREATE EVENT TRIGGER). Amazon RDS and Google Cloud SQL also let the
 * roles that stand for their administrator, as their manuals say.
 */
export async function readAllowed(client: pg.ClientBase): Promise<{ readonly eventTriggers: boolean }> {
  const { rows } = await client.query<{ eventTriggers: boolean }>(
    `select exists (select from pg_catalog.pg_roles as r
       where r.rolname = current_user and r.rolsuper
          or r.rolname in ('rds_superuser', 'cloudsqlsuperuser') and pg_catalog.pg_has_role(current_user, r.oid, 'member')) as "eventTriggers"`,
  );
  return { eventTriggers: rows[0]?.eventTriggers === true };
}
