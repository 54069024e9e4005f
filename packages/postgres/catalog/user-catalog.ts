import type pg from 'pg';
import { OWN_SCHEMAS } from '@safekeep/core';
import type { Catalog } from './model.ts';
import { readCatalog } from './read-catalog.ts';

/** For `nspname !~ '…'`: whole names of schemas that are not the user's: PostgreSQL's, temporary ones, Safekeep's. */
export const NOT_OF_USERS = `^(pg_.*|information_schema|${OWN_SCHEMAS})$`;

/** The structure of all schemas that are the user's. */
export async function readUserCatalog(client: pg.ClientBase): Promise<Catalog> {
  const { rows } = await client.query<{ name: string }>(
    `select nspname as name from pg_catalog.pg_namespace where nspname !~ '${NOT_OF_USERS}' order by 1`,
  );
  return await readCatalog(client, { schemas: rows.map(({ name }) => name) });
}
