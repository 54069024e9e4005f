import type pg from 'pg';

/**
 * For the rest of the transaction values are written in one form whatever the session's settings: the form in which keys are
 * kept and asked for.
 */
export async function writeValuesInOneForm(client: pg.ClientBase): Promise<void> {
  await client.query(`set local datestyle = 'ISO, YMD'; set local timezone = 'UTC'; set local intervalstyle = 'iso_8601';
    set local bytea_output = 'hex'; set local extra_float_digits = 1`);
}
