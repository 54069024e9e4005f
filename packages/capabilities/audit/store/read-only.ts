import type pg from 'pg';
import type { Database } from '@safekeep/postgres';

/**
 * Runs `read` in one transaction of the tenant that sees one moment and writes nothing. Timestamps come in UTC, whatever the
 * session says.
 */
export async function readOnly<Result>(
  database: Database,
  tenant: string,
  read: (client: pg.ClientBase) => Promise<Result>,
): Promise<Result> {
  const outcome = await database.withClient(async (client) => {
    await client.query('begin transaction isolation level repeatable read read only');
    try {
      await client.query(`set local timezone = 'UTC'`);
      await client.query("select pg_catalog.set_config('safekeep.tenant', $1, true)", [tenant]);
      const result = await read(client);
      await client.query('commit');
      return { result };
    } catch (error) {
      await client.query('rollback');
      return { error };
    }
  });
  if ('error' in outcome) throw outcome.error;
  return outcome.result;
}
