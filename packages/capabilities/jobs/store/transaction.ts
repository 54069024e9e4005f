import type pg from 'pg';
import { fromKysely, type Db } from 'pg-boss';
import type { Database } from '@safekeep/postgres';
import type { Transaction } from '../model.ts';

/** Runs `action` in one transaction. A refusal rolls it back and keeps the connection; a broken connection is thrown away. */
export async function inTransaction<Result>(
  database: Database,
  action: (client: pg.ClientBase) => Promise<Result>,
): Promise<Result> {
  const outcome = await database.withClient(async (client) => {
    await client.query('begin');
    let result: Result;
    try {
      result = await action(client);
    } catch (error) {
      try {
        await client.query('rollback');
      } catch {
        // The connection is gone, and that is not what went wrong first.
        throw error;
      }
      return { error };
    }
    await client.query('commit');
    return { result };
  });
  if ('error' in outcome) throw outcome.error;
  return outcome.result;
}

/** The same, bound by row security to one tenant. */
export async function inTenant<Result>(
  database: Database,
  tenant: string,
  action: (client: pg.ClientBase) => Promise<Result>,
): Promise<Result> {
  return await inTransaction(database, async (client) => {
    await setTenant(client, tenant);
    return await action(client);
  });
}

/** For the rest of the transaction. */
export async function setTenant(client: pg.ClientBase, tenant: string): Promise<void> {
  await client.query("select set_config('safekeep.tenant', $1, true)", [tenant]);
}

/** The same for a transaction that somebody else opened. */
export async function setTenantOf(session: Db, tenant: string): Promise<void> {
  await session.executeSql("select set_config('safekeep.tenant', $1, true)", [tenant]);
}

/** A transaction in the form that pg-boss's calls take as `db`. */
export function sessionOf(transaction: Transaction): Db {
  if ('executeQuery' in transaction) return fromKysely(transaction);
  return { executeSql: async (text, values) => await transaction.query(text, values === undefined ? [] : [...values]) };
}
