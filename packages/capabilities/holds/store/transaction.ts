import type pg from 'pg';
import type { Database } from '@safekeep/postgres';

/** Runs `action` in one transaction of the tenant. A refusal rolls it back and keeps the connection. */
export async function inTenant<Result>(
  database: Database,
  tenant: string,
  action: (client: pg.ClientBase) => Promise<Result>,
): Promise<Result> {
  const outcome = await database.withClient(async (client) => {
    await client.query('begin');
    try {
      await client.query("select set_config('safekeep.tenant', $1, true)", [tenant]);
      const result = await action(client);
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

/**
 * For the rest of the transaction values are written in one form whatever the session's settings: the form in which keys are
 * kept and asked for.
 */
export async function writeValuesInOneForm(client: pg.ClientBase): Promise<void> {
  await client.query(`set local datestyle = 'ISO, YMD'; set local timezone = 'UTC'; set local intervalstyle = 'iso_8601';
    set local bytea_output = 'hex'; set local extra_float_digits = 1`);
}
