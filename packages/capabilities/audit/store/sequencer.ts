import type pg from 'pg';
import { SafekeepError } from '@safekeep/core';
import { RUNTIME_LOGIN } from '@safekeep/postgres';
import { parseTilePath, rootFromTiles, sameHash, type ChangedTile, type Checkpoint, type TileReader } from '@safekeep/tlog';
import type { Capture } from '../model.ts';
import { inTurn } from './in-turn.ts';
import type { Progress } from './inbox.ts';

export type Cluster = { readonly systemIdentifier: string; readonly timeline: number };
export type State = Progress & Cluster;

export type Tree = {
  readonly tenant: string;
  readonly era: number;
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
  readonly minimumIndex: number;
};

const SETTINGS = `set local search_path = pg_catalog, pg_temp; set local timezone = 'UTC'; set local statement_timeout = 0; set local row_security = off;
  set local idle_in_transaction_session_timeout = '5min'; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'iso_8601';
  set local bytea_output = 'hex'; set local extra_float_digits = 1`;

/** In line for the lock: a batch takes seconds, an erasure of many rows too. */
const IN_LINE = '60s';

/**
 * Opens a transaction and takes the one lock that makes a sequencer the only one; false where another has it (with `wait`: for a minute). The lock comes before
 * the first look at anything, so that what is then seen is newer than everything the other did.
 */
export async function beginSequencing(
  client: pg.ClientBase,
  { isolation, wait = false }: { readonly isolation: 'repeatable read' | 'read committed'; readonly wait?: boolean },
): Promise<boolean> {
  await client.query(`begin isolation level ${isolation}; ${SETTINGS}; set local lock_timeout = '${IN_LINE}'`);
  try {
    await client.query(`lock table safekeep.audit_sequencer in exclusive mode ${wait ? '' : 'nowait'}`);
    return true;
  } catch (error) {
    if (!isLocked(error)) throw error;
    await client.query('rollback');
    return false;
  }
}

/**
 * Opens a transaction that reads as the sequencer does and without its lock. What `read` reads of the inboxes is of its snapshot: emptying one
 * (TRUNCATE) shows to every snapshot, and waits until it has come back.
 */
export async function beginReading<Result>(client: pg.ClientBase, read: () => Promise<Result>): Promise<Result> {
  await client.query(`begin isolation level repeatable read; ${SETTINGS}; set local lock_timeout = '${IN_LINE}'`);
  await client.query('savepoint inboxes');
  await client.query('lock table safekeep.audit_inbox_even, safekeep.audit_inbox_odd in access share mode');
  const result = await read();
  // Lets the inboxes go; the snapshot stays.
  await client.query('rollback to savepoint inboxes');
  return result;
}

/** Where a wait came to its end. */
export function logBusy(cause?: unknown): SafekeepError {
  return new SafekeepError('lock-timeout', { target: 'the log, at which a sequencer or an erasure works,', tries: 1 }, { cause });
}

function isLocked(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '55P03';
}

/** For the same lock within somebody else's transaction. */
export async function lockSequencer(client: Pick<pg.ClientBase, 'query'>): Promise<void> {
  await client.query('lock table safekeep.audit_sequencer in exclusive mode');
}

export async function commit(client: pg.ClientBase): Promise<void> {
  await client.query('commit');
}

export async function rollback(client: pg.ClientBase): Promise<void> {
  await client.query('rollback');
}

export async function readCluster(client: pg.ClientBase): Promise<Cluster> {
  const { rows } = await client.query<Cluster>(
    `select (select system_identifier::text from pg_control_system()) as "systemIdentifier",
            (select timeline_id from pg_control_checkpoint()) as timeline`,
  );
  const [cluster] = rows;
  if (cluster === undefined) throw new Error('The server did not tell which cluster it is');
  return cluster;
}

/** This database among all others: that of a restored or promoted cluster is another one only where its system identifier is. */
export async function readDatabaseId(client: Pick<pg.ClientBase, 'query'>): Promise<string> {
  const { rows } = await client.query<{ id: string }>(
    `select (select system_identifier::text from pg_catalog.pg_control_system()) || '/' || oid::text as id
       from pg_catalog.pg_database where datname = pg_catalog.current_database()`,
  );
  const [found] = rows;
  if (found === undefined) throw new Error('The server did not tell which database it is');
  return found.id;
}

/** Before all that happened: nothing is visible in it. */
const NOTHING_DONE = '3:3:';

/** Where the last batch left off; before the first one, at the beginning. */
export async function readState(client: pg.ClientBase, cluster: Cluster): Promise<State> {
  await client.query(
    `insert into safekeep.audit_sequencer (tenant_id, done, system_identifier, timeline) values ('*', $1::pg_snapshot, $2, $3)
     on conflict (tenant_id) do nothing`,
    [NOTHING_DONE, cluster.systemIdentifier, cluster.timeline],
  );
  const { rows } = await client.query<State>(
    `select done::text, target::text, cursor_no::text as "cursorNo", system_identifier as "systemIdentifier", timeline
       from safekeep.audit_sequencer where tenant_id = '*'`,
  );
  const [state] = rows;
  if (state === undefined) throw new Error('The state of the sequencer is gone');
  return state;
}

/** What is in the log of what was captured; before the first batch, nothing. */
export async function readProgress(client: pg.ClientBase): Promise<Progress> {
  const { rows } = await client.query<Progress>(
    `select done::text, target::text, cursor_no::text as "cursorNo" from safekeep.audit_sequencer where tenant_id = '*'`,
  );
  return rows[0] ?? { done: NOTHING_DONE, target: null, cursorNo: '0' };
}

export async function writeState(client: pg.ClientBase, state: State, movedAt: string | null): Promise<void> {
  await client.query(
    `update safekeep.audit_sequencer set done = $1::pg_snapshot, target = $2::pg_snapshot, cursor_no = $3, system_identifier = $4, timeline = $5,
            moved_at = coalesce($6::timestamptz, moved_at) where tenant_id = '*'`,
    [state.done, state.target, state.cursorNo, state.systemIdentifier, state.timeline, movedAt],
  );
}

/** The snapshot of this transaction, and an instant for its events: never earlier than that of the events before, whatever the clock does. */
export async function readMoment(
  client: pg.ClientBase,
): Promise<{ readonly snapshot: string; readonly at: string; readonly partition: boolean }> {
  const { rows } = await client.query<{ snapshot: string; at: string; partition: boolean }>(
    `select pg_current_snapshot()::text as snapshot, to_char(m.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at,
            to_regclass('safekeep.audit_events_' || to_char(m.at at time zone 'UTC', 'YYYY_MM')) is not null as partition
       from (select greatest(clock_timestamp(), (select moved_at from safekeep.audit_sequencer where tenant_id = '*')) as at) as m`,
  );
  const [moment] = rows;
  if (moment === undefined) throw new Error('The server did not tell the time');
  return moment;
}

export async function makePartition(client: pg.ClientBase, at: string): Promise<void> {
  await client.query('select safekeep.make_audit_month($1::timestamptz)', [at]);
}

export async function sweepKeysOnly(client: pg.ClientBase): Promise<void> {
  await client.query('delete from safekeep.audit_keys_only');
}

/** Those of the names that are tenants of Safekeep. */
export async function readTenants(client: pg.ClientBase, names: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ tenant: string }>(
    'select tenant_id as tenant from safekeep.tenants where tenant_id = any ($1::text[])',
    [names],
  );
  return new Set(rows.map(({ tenant }) => tenant));
}

// ---- trees -----------------------------------------------------------------------------------------------------------

/** The newest era of each tenant that has a log. */
export async function readTrees(client: pg.ClientBase, tenants?: readonly string[]): Promise<readonly Tree[]> {
  const { rows } = await client.query<Tree>(
    `select distinct on (tenant_id) tenant_id as tenant, era, origin, size::float8 as size, root, minimum_index::float8 as "minimumIndex"
       from safekeep.audit_trees where $1::text[] is null or tenant_id = any ($1) order by tenant_id, era desc`,
    [tenants ?? null],
  );
  return rows;
}

export async function insertTree(client: pg.ClientBase, { tenant, era, origin, size, root }: Tree): Promise<void> {
  await client.query(
    `insert into safekeep.audit_trees (tenant_id, era, origin, size, root, opened_at) values ($1, $2, $3, $4, $5, clock_timestamp())`,
    [tenant, era, origin, size, root],
  );
}

export async function updateTree(client: pg.ClientBase, { tenant, era, size, root }: Tree, before: number): Promise<void> {
  const { rowCount } = await client.query(
    'update safekeep.audit_trees set size = $3, root = $4 where tenant_id = $1 and era = $2 and size = $5',
    [tenant, era, size, root, before],
  );
  if (rowCount !== 1) throw new Error(`The tree of ${tenant} is not as it was read`);
}

export async function writeTiles(client: pg.ClientBase, { tenant, era }: Tree, tiles: readonly ChangedTile[]): Promise<void> {
  await client.query(
    `insert into safekeep.audit_tiles (tenant_id, era, level, tile, hashes)
     select $1, $2, level, tile, hashes from unnest($3::smallint[], $4::bigint[], $5::bytea[]) as t (level, tile, hashes)
     on conflict (tenant_id, era, level, tile) do update set hashes = excluded.hashes`,
    [tenant, era, tiles.map(({ tile }) => tile.level), tiles.map(({ tile }) => tile.index), tiles.map(({ bytes }) => bytes)],
  );
}

/** Tiles of hashes as the tree's paths name them. */
export function tileReader(client: Pick<pg.ClientBase, 'query'>, { tenant, era }: Pick<Tree, 'tenant' | 'era'>): TileReader {
  return inTurn(async (path) => {
    const tile = parseTilePath(path);
    if (tile === undefined || tile.level === 'entries') return undefined;
    const { rows } = await client.query<{ hashes: Buffer }>(
      'select hashes from safekeep.audit_tiles where tenant_id = $1 and era = $2 and level = $3 and tile = $4',
      [tenant, era, tile.level, tile.index],
    );
    return rows[0]?.hashes;
  });
}

/** Whether a tree begins with what was signed of it at some time. Throws `TlogError` where its tiles are not there, or are none. */
export async function contains(
  client: Pick<pg.ClientBase, 'query'>,
  tree: Pick<Tree, 'tenant' | 'era' | 'size' | 'root'>,
  { size, root }: Pick<Checkpoint, 'size' | 'root'>,
): Promise<boolean> {
  if (size > tree.size) return false;
  if (size === 0) return true;
  if (size === tree.size) return sameHash(tree.root, root);
  return sameHash(await rootFromTiles(tileReader(client, tree), size), root);
}

export async function insertCheckpoint(
  client: pg.ClientBase,
  { tenant, era, size, root }: Tree,
  { note, at }: { readonly note: string; readonly at: Date },
): Promise<void> {
  await client.query(
    `insert into safekeep.audit_checkpoints (tenant_id, era, size, root, note, signed_at) values ($1, $2, $3, $4, $5, $6) on conflict do nothing`,
    [tenant, era, size, root, note, at],
  );
  // The newest of each minute is enough to compare with later; a busy log signs several a second.
  await client.query(
    `delete from safekeep.audit_checkpoints where tenant_id = $1 and era = $2 and size < $3 and signed_at >= date_trunc('minute', $4::timestamptz)`,
    [tenant, era, size, at],
  );
}

export async function readCheckpoint(client: Pick<pg.ClientBase, 'query'>, tenant: string): Promise<string | undefined> {
  const { rows } = await client.query<{ note: string }>(
    'select note from safekeep.audit_checkpoints where tenant_id = $1 order by era desc, size desc limit 1',
    [tenant],
  );
  return rows[0]?.note;
}

// ---- captures --------------------------------------------------------------------------------------------------------

/** By tenant and table: `default public.patients`. */
export async function readCaptures(client: Pick<pg.ClientBase, 'query'>): Promise<ReadonlyMap<string, Capture>> {
  const { rows } = await client.query<{ definition: Capture }>('select definition from safekeep.audit_captures');
  return new Map(rows.map(({ definition }) => [`${definition.tenant} ${definition.table}`, definition]));
}

/** By which a table of this tenant is captured: its own capture, or of a table with a column for the tenant that of whoever applied it. */
export function captureOf(
  captures: ReadonlyMap<string, Capture>,
  { tenant, table }: { readonly tenant: string; readonly table: string },
): Capture | undefined {
  return (
    captures.get(`${tenant} ${table}`) ?? [...captures.values()].find((each) => each.table === table && each.tenantColumn !== null)
  );
}

export type ActorBlocks = {
  readonly tenant: string;
  readonly inner: Buffer;
  readonly outer: Buffer;
  /** Microseconds since 1970; null while it is in force. */
  readonly retired: string | null;
};

/** By key id. */
export async function readActorKeys(client: pg.ClientBase): Promise<ReadonlyMap<string, ActorBlocks>> {
  const { rows } = await client.query<ActorBlocks & { keyId: string }>(
    `select tenant_id as tenant, key_id as "keyId", inner_block as inner, outer_block as outer,
            ((extract(epoch from retired_at) * 1000000)::bigint)::text as retired from safekeep.audit_actor_keys`,
  );
  return new Map(rows.map((row) => [row.keyId, row]));
}

/** Of these logins those that Safekeep works as: whoever may act as the owner of its schema, and the worker of an embedded server. */
export async function readOwnLogins(client: pg.ClientBase, logins: readonly string[]): Promise<ReadonlySet<string>> {
  if (logins.length === 0) return new Set();
  const { rows } = await client.query<{ login: string }>(
    `select r.rolname::text as login
       from pg_roles as r
       join pg_namespace as n on n.nspname = 'safekeep'
      where r.rolname = any ($1::text[])
        and (r.rolsuper or pg_has_role(r.oid, n.nspowner, 'MEMBER') or r.rolname = $2)`,
    [logins, RUNTIME_LOGIN],
  );
  return new Set(rows.map(({ login }) => login));
}
