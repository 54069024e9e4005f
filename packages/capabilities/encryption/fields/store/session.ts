import type pg from 'pg';
import type { Field } from '../model.ts';

/** Who changes rows when a column is encrypted, as the audit log names it. */
const ACTOR = 'safekeep:encryption';

/** From PostgreSQL 17 on there is one. What limits the application's transactions is not meant for work that is as long as a table. */
const NO_TRANSACTION_TIMEOUT = `case when current_setting('transaction_timeout', true) is not null then set_config('transaction_timeout', '0', true) end`;

/** What may write parameters, and with them plaintext, into the server's log, and what keeps it from that. Who may not set it is stopped by {@link loggedBy}. */
const UNLOGGED = `values ('log_parameter_max_length_on_error', '0'), ('log_parameter_max_length', '0'), ('debug_print_plan', 'off'),
  ('auto_explain.log_parameter_max_length', '0'), ('auto_explain.log_verbose', 'off'), ('pgaudit.log_parameter', 'off')`;

const MAY_SET = `pg_catalog.has_parameter_privilege(s.name, 'SET') or s.name in ('log_parameter_max_length_on_error', 'debug_print_plan')`;

/** The setting that makes the server write values of ours into its log; null where none does. */
export async function loggedBy(client: pg.ClientBase): Promise<string | null> {
  const { rows } = await client.query<{ logs: string | null }>('select safekeep.logs_parameters() as logs');
  return rows[0]?.logs ?? null;
}

/**
 * A transaction of the tenant in which values are read and written as text in one form, and in which our triggers know the
 * engine by a setting: it says that ciphertext and plaintext that it writes belong together. Whoever sets it by hand can do no
 * more than with the UPDATE itself. On audited tables it acts as Safekeep, with a proof where the login is the owner's. Without `lockTimeoutMs` it waits for locks as long as it takes.
 *
 * Questions to the catalogue look so costly to the planner that it would compile each, which takes seconds longer than to answer it.
 *
 * What the database or the login has as a default for transactions does not count: with a snapshot from before a lock was had, what is
 * proved under it is not so. Where row security would hide rows, reading the table is an error.
 */
export async function begin(client: pg.ClientBase, tenant: string, lockTimeoutMs = 0): Promise<void> {
  await client.query(
    `begin isolation level read committed read write; set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0; ${OWN_NAMES}; set local datestyle = 'ISO, YMD'; set local timezone = 'UTC';
     set local bytea_output = 'hex'; set local extra_float_digits = 1; set local jit = off`,
  );
  await client.query(
    `select ${NO_TRANSACTION_TIMEOUT}, set_config('safekeep.tenant', $1, true), set_config('safekeep.engine', 'on', true), set_config('lock_timeout', $2, true),
            safekeep.act_as_safekeep($1, $3),
            (select count(set_config(s.name, s.value, true)) from (${UNLOGGED}) as s (name, value) where nullif(current_setting(s.name, true), '') is not null and (${MAY_SET}))`,
    [tenant, `${lockTimeoutMs}ms`, ACTOR],
  );
}

/** What was deferred to the end runs as the triggers of the user's expect it: see {@link asLogin}. */
export async function commit(client: pg.ClientBase): Promise<void> {
  await client.query('set local search_path to default; set local row_security to default; commit');
}

/**
 * Runs a statement that sets off triggers of the user's with the search path and the row security that the login has: their functions
 * may name tables as an application does. A path that names pg_catalog after others has it in front, where everything else looks for it.
 */
export async function asLogin<Result>(client: pg.ClientBase, run: () => Promise<Result>): Promise<Result> {
  await client.query(
    `set local row_security to default; set local search_path to default;
     select pg_catalog.set_config('search_path', pg_catalog.concat('pg_catalog, ', p.path), true) from pg_catalog.current_setting('search_path') as p (path)
      where p.path operator(pg_catalog.~) 'pg_catalog'`,
  );
  const result = await run();
  await client.query(OWN_NAMES);
  return result;
}

const OWN_NAMES = 'set local row_security = off; set local search_path = pg_catalog, pg_temp';

export async function rollback(client: pg.ClientBase): Promise<void> {
  await client.query('rollback');
}

export async function limitLockWaits(client: pg.ClientBase, timeoutMs: number): Promise<void> {
  await client.query("select set_config('lock_timeout', $1, true)", [`${timeoutMs}ms`]);
}

/** Where the table is audited: from here on its log has no ciphertext of the column to hold against it. In the transaction that drops it. */
export async function notePlaintextBack(client: pg.ClientBase, { table, column, encryptedColumn, indexes }: Field): Promise<void> {
  const columns = [column, encryptedColumn, ...indexes.map((index) => index.column)];
  await client.query(
    `select safekeep.note_plaintext_back($1, $2, $3)
      where exists (select from safekeep.audit_captures as c where c.definition ->> 'schema' = $1 and c.definition ->> 'name' = $2)`,
    [table.schema, table.table, columns],
  );
}

const LIMITS = ['statement_timeout', 'lock_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout'];

/**
 * A statement that PostgreSQL takes in no transaction (CREATE INDEX CONCURRENTLY, VACUUM), without the limits that the database or the
 * login sets for the application's statements: it takes as long as the table is large and as others hold what it waits for. They are
 * taken off the session and come back; a failure inside throws the connection away.
 */
export async function runAlone(client: pg.ClientBase, statement: string): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select name from pg_catalog.pg_settings where name = any ($1) and setting <> '0'`,
    [LIMITS],
  );
  for (const { name } of rows) await client.query(`set ${name} = 0`);
  await client.query(statement);
  for (const { name } of rows) await client.query(`reset ${name}`);
}

/**
 * Ends {@link runAlone} of this statement, if somebody waits for a lock of the table that it has. CREATE INDEX CONCURRENTLY waits for
 * transactions, and these wait behind whoever alters the table meanwhile: a deadlock, in which the server ends any of the three.
 */
export async function giveWay(client: pg.ClientBase, statement: string): Promise<boolean> {
  const { rows } = await client.query<{ ended: boolean }>(
    `select pg_catalog.pg_cancel_backend(a.pid) as ended from pg_catalog.pg_stat_activity as a
      where a.query = $1 and a.state = 'active' and a.datname = pg_catalog.current_database() and a.usename = current_user
        and exists (select from pg_catalog.pg_locks as w
                     where not w.granted and w.locktype = 'relation' and w.pid <> a.pid and a.pid = any (pg_catalog.pg_blocking_pids(w.pid)))`,
    [statement],
  );
  return rows.some(({ ended }) => ended);
}

/**
 * The right to move fields, held by a transaction of a connection of its own: it ends with that, whatever ends it, and works through a
 * pooler in transaction mode. Answers the first that somebody else has; then the rest is not asked for.
 */
export async function takeLease<Moved extends Pick<Field, 'tenant' | 'id'>>(
  client: pg.ClientBase,
  fields: readonly Moved[],
): Promise<Moved | undefined> {
  await client.query('begin isolation level read committed read write');
  for (const field of fields) {
    const { rows } = await client.query<{ taken: boolean }>(
      `select ${NO_TRANSACTION_TIMEOUT}, pg_try_advisory_xact_lock(hashtextextended($1, 0)) as taken`,
      [`safekeep field ${field.tenant} ${field.id}`],
    );
    if (rows[0]?.taken !== true) return field;
  }
  // Comes last: a simple query closes the portal of the one with parameters, whose snapshot CREATE INDEX CONCURRENTLY would
  // otherwise wait for as long as the lease is held, that is for ever.
  await client.query('set local idle_in_transaction_session_timeout = 0');
  return undefined;
}
