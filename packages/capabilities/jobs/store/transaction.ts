import type pg from 'pg';
import type { Db } from 'pg-boss';
import { transaction, type Database } from '@safekeep/postgres';
import type { Transaction } from '../model.ts';

/** Runs `action` in one transaction of whichever tenants it sets. */
export async function inTransaction<Result>(
  database: Database,
  action: (client: pg.ClientBase) => Promise<Result>,
): Promise<Result> {
  return await transaction(database, (client) => client.query('begin'), action);
}

/** `setTenant` of a transaction that somebody else opened. */
export async function setTenantOf(session: Db, tenant: string): Promise<void> {
  await session.executeSql("select pg_catalog.set_config('safekeep.tenant', $1, true)", [tenant]);
}

/** A transaction in the form that pg-boss's calls take as `db`. */
export function sessionOf(transaction: Transaction): Db {
  if ('executeQuery' in transaction) {
    return { executeSql: async (text, values) => await (await import('pg-boss')).fromKysely(transaction).executeSql(text, values) };
  }
  return { executeSql: async (text, values) => await transaction.query(text, values === undefined ? [] : [...values]) };
}
