import type pg from 'pg';
import { SafekeepError } from '@safekeep/core';
import { ownerFor, prepareOwner, readSchemaState, type SchemaState } from './ownership.ts';

/**
 * What must stand before the first migration: the right to create, the roles, the schema, pgcrypto, the history.
 * Runs inside the caller's transaction and leaves it as the schema's owner; repeating it changes nothing.
 *
 * @throws `privilege-missing`, `schema-foreign`, `extension-missing`.
 */
export async function layFoundation(client: pg.ClientBase): Promise<void> {
  const state = await readSchemaState(client);
  requireCreate(client, state);
  const owner = ownerFor(state);
  await prepareOwner(client, state, owner);
  // Not IF NOT EXISTS: one that somebody made since we looked is not ours.
  if (state.schemaOwner === null) await client.query(`create schema safekeep authorization ${client.escapeIdentifier(owner)}`);
  await requirePgcrypto(client);
  if (owner !== state.user) await client.query(`set local role ${client.escapeIdentifier(owner)}`);
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
  // Whether the schema is fit is every login's business. What is run to take a migration back is the owner's alone.
  await client.query(`
    do $$
    begin
      if to_regrole('safekeep_app') is null or to_regrole('safekeep_auditor') is null then return; end if;
      grant select (id, step, version, name, direction, at, sha256) on safekeep.migration_history to safekeep_app, safekeep_auditor;
      grant select on safekeep.function_versions to safekeep_app, safekeep_auditor;
    end
    $$`);
}

function requireCreate(client: pg.ClientBase, { mayCreate, schemaOwner, user, database }: SchemaState): void {
  if (mayCreate || schemaOwner !== null) return;
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
            -- Asked only where it is missing: the server reads the control file of every extension to answer.
            case when exists (select from pg_extension where extname = 'pgcrypto') then true
                 else exists (select from pg_available_extensions where name = 'pgcrypto') end as available, current_user as user`,
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
