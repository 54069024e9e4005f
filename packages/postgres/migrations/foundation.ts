import type pg from 'pg';
import { SafekeepError } from '@safekeep/core';
import { createRoles, OWNER } from './store.ts';

/** Whether the objects of Safekeep have an owner of their own, or belong to whoever migrates (roles could not be made). */
export type Ownership = 'owner-role' | 'migrating-login';

/**
 * What must stand before the first migration: the right to create, the roles, the schema, pgcrypto, the history.
 * Runs inside the caller's transaction; repeating it changes nothing.
 *
 * @throws `privilege-missing`, `extension-missing`.
 */
export async function layFoundation(client: pg.ClientBase): Promise<Ownership> {
  await requireCreate(client);
  const ownership: Ownership = (await createRoles(client)) ? 'owner-role' : 'migrating-login';
  await client.query(`create schema if not exists safekeep ${ownership === 'owner-role' ? `authorization ${OWNER}` : ''}`);
  await requirePgcrypto(client);
  if (ownership === 'owner-role') await client.query(`set local role ${OWNER}`);
  // Two short global lists without tenant_id (the exemption of rule 7): they describe the schema, not a tenant's rows.
  await client.query(`
    create table if not exists safekeep.migration_history (
      id uuid primary key,
      step integer not null unique,
      version text not null check (version ~ '^[0-9]{4}$'),
      name text not null,
      direction text not null check (direction in ('up', 'down')),
      at timestamptz not null default clock_timestamp(),
      sha256 text not null,
      down_sql text not null
    );
    create table if not exists safekeep.function_versions (
      object text primary key check (object ~ '^(function|procedure) safekeep\\.[a-z_0-9]+\\([a-z0-9_, \\[\\]]*\\)$'),
      needs text not null,
      sha256 text not null
    )`);
  // Whether the schema is fit is every login's business; what stands in these lists is public with the source.
  if (ownership === 'owner-role') {
    await client.query('grant select on safekeep.migration_history, safekeep.function_versions to safekeep_app, safekeep_auditor');
  }
  return ownership;
}

async function requireCreate(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ user: string; database: string; may: boolean; installed: boolean }>(
    `select current_user as user, current_database() as database,
            has_database_privilege(current_database(), 'CREATE') as may, to_regnamespace('safekeep') is not null as installed`,
  );
  const [state] = rows;
  if (state === undefined) throw new Error('The server did not answer for our rights');
  if (state.may || state.installed) return;
  const { user, database } = state;
  throw new SafekeepError('privilege-missing', {
    user,
    right: `CREATE on database ${database}`,
    grant: `GRANT CREATE ON DATABASE ${client.escapeIdentifier(database)} TO ${client.escapeIdentifier(user)};`,
  });
}

/** pgcrypto is trusted since PostgreSQL 13: whoever may create in the database may install it, if its files are there. */
async function requirePgcrypto(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ installed: boolean; available: boolean; user: string }>(
    `select exists (select from pg_extension where extname = 'pgcrypto') as installed,
            exists (select from pg_available_extensions where name = 'pgcrypto') as available, current_user as user`,
  );
  const [state] = rows;
  if (state === undefined) throw new Error('The server did not answer for its extensions');
  if (state.installed) return;
  if (!state.available) throw new SafekeepError('extension-missing', { extension: 'pgcrypto', user: state.user });
  await client.query('savepoint install_pgcrypto');
  try {
    await client.query('create extension pgcrypto with schema safekeep');
  } catch (cause) {
    throw new SafekeepError('extension-missing', { extension: 'pgcrypto', user: state.user }, { cause });
  }
}
