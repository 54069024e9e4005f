import type pg from 'pg';
import { codeOf, newId } from '@safekeep/core';
import type { FunctionFile, Migration } from './files.ts';
import { FUNCTION_CALL } from './shipped-functions.ts';

/** A line of the history as the CLI shows it. */
export type HistoryEntry = {
  readonly version: string;
  readonly name: string;
  readonly direction: 'up' | 'down';
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly sha256: string;
};

export type LandedMigration = { readonly version: string; readonly name: string; readonly sha256: string; readonly down: string };

// 'safekeep' read as a number: one lock for all who change Safekeep's schema in this database.
const MIGRATION_LOCK = '8314886006148099440';

/** Until the end of the transaction nobody else migrates. */
export async function lockMigrations(client: pg.ClientBase): Promise<void> {
  await client.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
}

export async function readHistory(client: pg.ClientBase): Promise<readonly HistoryEntry[]> {
  const { rows } = await client.query<HistoryEntry>(
    `select version, name, direction, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, sha256
       from safekeep.migration_history order by step`,
  );
  return rows;
}

/** The migrations that stand, oldest first, each with the way back that landed with it: for the schema's owner. */
export async function readLanded(client: pg.ClientBase): Promise<readonly LandedMigration[]> {
  const { rows } = await client.query<LandedMigration & { direction: string }>(
    `select distinct on (version) version, name, sha256, down_sql as down, direction
       from safekeep.migration_history order by version, step desc`,
  );
  return rows.filter(({ direction }) => direction === 'up');
}

export async function recordStep(
  client: pg.ClientBase,
  migration: Pick<Migration, 'version' | 'name' | 'sha256' | 'down'>,
  direction: 'up' | 'down',
): Promise<void> {
  await client.query(
    `insert into safekeep.migration_history (id, step, version, name, direction, sha256, down_sql)
     select $1, coalesce(max(step), 0) + 1, $2, $3, $4, $5, $6 from safekeep.migration_history`,
    [newId<'migration-step'>(), migration.version, migration.name, direction, migration.sha256, migration.down],
  );
}

export async function readFunctionHashes(client: pg.ClientBase): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<{ object: string; sha256: string }>('select object, sha256 from safekeep.function_versions');
  return new Map(rows.map(({ object, sha256 }) => [object, sha256]));
}

export async function createFunction(client: pg.ClientBase, file: FunctionFile): Promise<void> {
  await client.query(file.text);
  await client.query(
    `insert into safekeep.function_versions (object, needs, sha256) values ($1, $2, $3)
     on conflict (object) do update set needs = excluded.needs, sha256 = excluded.sha256`,
    [file.object, file.needs, file.sha256],
  );
}

/** Drops the functions that rest on `version`. Their names come from our own files, checked when they were recorded. */
export async function dropFunctionsOf(client: pg.ClientBase, version: string): Promise<void> {
  const { rows } = await client.query<{ object: string }>(
    'delete from safekeep.function_versions where needs = $1 returning object',
    [version],
  );
  for (const { object } of rows) await client.query(`drop ${object}`);
}

/** Drops a function that no file makes any more. One that something in the database still rests on stays until that is renewed. */
export async function dropUnusedFunction(client: pg.ClientBase, object: string): Promise<void> {
  await client.query('savepoint function');
  try {
    await client.query(`drop ${object}`);
    await client.query('delete from safekeep.function_versions where object = $1', [object]);
    await client.query('release savepoint function');
  } catch (error) {
    // 2BP01 dependent_objects_still_exist
    if (codeOf(error) !== '2BP01') throw error;
    await client.query('rollback to savepoint function');
  }
}

/** A function as it stands, whatever is written down of it. */
export type StandingFunction = {
  readonly object: string;
  readonly body: string;
  readonly isDefiner: boolean;
  readonly call: string;
  readonly settings: readonly string[];
  /** Everybody may execute it. */
  readonly isOpen: boolean;
};

/** Those of these objects (`function safekeep.name(types)`) that are there, and the schema of pgcrypto as it stands in a statement. */
export async function readStandingFunctions(
  client: pg.ClientBase,
  objects: readonly string[],
): Promise<{ readonly functions: ReadonlyMap<string, StandingFunction>; readonly crypto: string }> {
  const { rows } = await client.query<StandingFunction & { crypto: string | null }>(
    `select o.object, p.prosrc as body, p.prosecdef as "isDefiner", ${FUNCTION_CALL} as call, coalesce(p.proconfig, '{}') as settings,
            exists (select from pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) as a where a.grantee = 0) as "isOpen",
            (select pg_catalog.quote_ident(n.nspname) from pg_catalog.pg_extension as e
               join pg_catalog.pg_namespace as n on n.oid = e.extnamespace where e.extname = 'pgcrypto') as crypto
       from pg_catalog.unnest($1::text[]) as o (object)
       join pg_catalog.pg_proc as p
         on p.oid = pg_catalog.to_regprocedure(pg_catalog.regexp_replace(o.object, '^(function|procedure) ', ''))`,
    [objects],
  );
  return { functions: new Map(rows.map(({ crypto: _, ...found }) => [found.object, found])), crypto: rows[0]?.crypto ?? '' };
}
