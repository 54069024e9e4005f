import type pg from 'pg';
import type { Queryable } from '../catalog/queryable.ts';
import type { Database } from '../database.ts';

/**
 * Runs `action` in one transaction that `begin` opens. What it refuses by throwing rolls everything back and is thrown on; the
 * connection stays in the pool; a broken one is thrown away.
 */
export async function transaction<Result>(
  database: Database,
  begin: (client: pg.ClientBase) => Promise<unknown>,
  action: (client: pg.ClientBase) => Promise<Result>,
  ending: 'commit' | 'rollback' = 'commit',
): Promise<Result> {
  const outcome = await database.withClient(async (client) => {
    try {
      await begin(client);
      const result = await action(client);
      await client.query(ending);
      return { result };
    } catch (error) {
      try {
        await client.query('rollback');
      } catch {
        // The connection is gone, and that is not what went wrong first.
        throw error;
      }
      return { error };
    }
  });
  if ('error' in outcome) throw outcome.error;
  return outcome.result;
}

/** For the rest of the transaction row security shows the rows of this tenant. */
export async function setTenant(db: Queryable, tenant: string): Promise<void> {
  await db.query("select pg_catalog.set_config('safekeep.tenant', $1, true)", [tenant]);
}

/** {@link transaction} of one tenant: row security shows it that tenant's rows. `snapshot`: all of it sees one moment. */
export async function inTenant<Result>(
  database: Database,
  tenant: string,
  action: (client: pg.ClientBase) => Promise<Result>,
  { snapshot = false }: { readonly snapshot?: boolean } = {},
): Promise<Result> {
  const begin = async (client: pg.ClientBase): Promise<void> => {
    await client.query(snapshot ? 'begin isolation level repeatable read' : 'begin');
    await setTenant(client, tenant);
  };
  return await transaction(database, begin, action);
}
