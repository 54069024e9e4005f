import type pg from 'pg';
import { together, transaction, type Database } from '@safekeep/postgres';
import type { Person } from '../../holds/index.ts';
import { quoteTable } from './sql.ts';

/** Runs `action` in one transaction of the tenant; a refusal rolls it back and keeps the connection. */
export async function inTransaction<Result>(
  database: Database,
  { tenant, mode = '' }: { readonly tenant: string; readonly mode?: '' | 'isolation level repeatable read, read only' },
  action: (client: pg.ClientBase) => Promise<Result>,
  ending: 'commit' | 'rollback' = 'commit',
): Promise<Result> {
  const begin = (client: pg.ClientBase): Promise<unknown> =>
    together(client, [async () => await client.query(`begin ${mode}`), () => prepareSession(client, tenant)]);
  return await transaction(database, begin, action, ending);
}

/**
 * For the rest of the transaction: the tenant, and values written in one form whatever the session's settings. Statements over
 * thousands of keys look so costly to the planner that it would compile each, which takes longer than to carry it out.
 */
export async function prepareSession(client: pg.ClientBase, tenant: string): Promise<void> {
  await client.query(
    `select pg_catalog.set_config('safekeep.tenant', $1, true), pg_catalog.set_config('datestyle', 'ISO, YMD', true),
            pg_catalog.set_config('timezone', 'UTC', true), pg_catalog.set_config('intervalstyle', 'iso_8601', true),
            pg_catalog.set_config('bytea_output', 'hex', true), pg_catalog.set_config('extra_float_digits', '1', true),
            pg_catalog.set_config('jit', 'off', true)`,
    [tenant],
  );
}

export async function isReadCommitted(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ level: string }>("select pg_catalog.current_setting('transaction_isolation') as level");
  return rows[0]?.level === 'read committed';
}

/** Tables of which row security keeps rows from this login: what would be found there is not all. */
export async function hiddenTables(client: pg.ClientBase, names: readonly string[]): Promise<readonly string[]> {
  // By name: a join with the catalogue takes the planner longer than all the rest.
  const { rows } = await client.query<{ place: number }>(
    `select (asked.place - 1)::integer as place from pg_catalog.unnest($1::text[]) with ordinality as asked (name, place)
      where pg_catalog.row_security_active(asked.name)`,
    [names.map((name) => quoteTable(name))],
  );
  return rows.map(({ place }) => names[place] ?? '');
}

/** Tables of which this login does not see every row: row security hides some, or it may not read them at all. */
export async function unseenTables(client: pg.ClientBase, names: readonly string[]): Promise<readonly string[]> {
  const { rows } = await client.query<{ place: number }>(
    `select (asked.place - 1)::integer as place from pg_catalog.unnest($1::text[]) with ordinality as asked (name, place)
      where pg_catalog.row_security_active(asked.name) or not pg_catalog.has_table_privilege(asked.name, 'select')`,
    [names.map((name) => quoteTable(name))],
  );
  return rows.map(({ place }) => names[place] ?? '');
}

export async function setConstraintsNow(client: pg.ClientBase): Promise<void> {
  await client.query('set constraints all immediate');
}

/** How long an erasure waits for a row that somebody else changes; then it starts again. */
export async function setLockTimeout(client: pg.ClientBase): Promise<void> {
  await client.query("set local lock_timeout = '10s'");
}

/**
 * Until the transaction ends: whoever exports somebody keeps their erasure away and the other way round, or the export would lie there, made of
 * what was, when the erasure has looked for exports and is done.
 */
export async function lockPerson(
  client: pg.ClientBase,
  { tenant, person, shared }: { readonly tenant: string; readonly person: Person; readonly shared: boolean },
): Promise<void> {
  await client.query(
    `select pg_catalog.pg_advisory_xact_lock${shared ? '_shared' : ''}(pg_catalog.hashtextextended($1, 0)),
            pg_catalog.set_config('idle_in_transaction_session_timeout', '0', true)`,
    [JSON.stringify(['safekeep person', tenant, person.type, ...person.key])],
  );
}

/** A transaction that has a turn and does nothing else. It sees no rows, and so keeps none from being vacuumed, however long it goes on. */
export async function beginTurns(client: pg.ClientBase): Promise<void> {
  await client.query('begin isolation level read committed');
}

/** Whether the turn to bring an erasure to its end is this transaction's, until it ends. */
export async function tryTurn(
  client: pg.ClientBase,
  { tenant, erasure }: { readonly tenant: string; readonly erasure: string },
): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>(
    'select pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended($1, 0)) as taken',
    [`safekeep erasure ${tenant} ${erasure}`],
  );
  // Comes last: a simple query closes the portal of the one with parameters, and with it the snapshot that VACUUM would heed.
  await client.query('set local idle_in_transaction_session_timeout = 0');
  return rows[0]?.taken === true;
}

/** A rehearsal holds locks and shows nothing that could not be shown later: it does not wait long. */
export async function beginRehearsal(client: pg.ClientBase): Promise<void> {
  await client.query("savepoint safekeep_rehearsal; set local lock_timeout = '1s'");
}

export async function endRehearsal(client: pg.ClientBase): Promise<void> {
  await client.query('rollback to savepoint safekeep_rehearsal');
}

/** `first`: nobody has left a trace yet; see safekeep.tenant_standing. */
export async function tenantStanding(client: pg.ClientBase, tenant: string): Promise<'unknown' | 'first' | 'own' | 'other'> {
  const { rows } = await client.query<{ standing: 'unknown' | 'first' | 'own' | 'other' }>(
    'select safekeep.tenant_standing($1) as standing',
    [tenant],
  );
  return rows[0]?.standing ?? 'unknown';
}
