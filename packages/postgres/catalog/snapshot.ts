import { SafekeepError } from '@safekeep/core';
import { formatTableName } from '@safekeep/core';
import { isConnection, isConnectionPool, type Connection, type Queryable } from './queryable.ts';

// One try reads for well under a second; a schema that is altered within each of five tries is being migrated right now.
const TRIES = 5;
// Printing a default, a check or a view takes a brief ACCESS SHARE lock, and so waits while another session alters the
// table. Without a limit a forgotten open transaction would hold a scan for ever.
const LOCK_WAIT_MS = 10_000;

// What makes the printed form of an expression depend on the session; fixed as pg_dump fixes it, so that it does not.
// With nobody's schema in the path every name outside pg_catalog is printed with its schema; pg_temp is named, and last,
// because otherwise a temporary table called pg_class would come first.
const SETTINGS = `
  set local search_path = pg_catalog, pg_temp;
  set local quote_all_identifiers = off;
  set local datestyle = 'ISO, YMD';
  set local intervalstyle = postgres;
  set local timezone = 'UTC';
  set local extra_float_digits = 1;
  set local bytea_output = hex;
  set local lc_monetary = 'C';
  set local xmlbinary = base64;
  set local jit = off;
  select set_config('lock_timeout', case current_setting('lock_timeout') when '0' then '${LOCK_WAIT_MS}ms'
    else current_setting('lock_timeout') end, true)`;

// How PostgreSQL says that an object it had in the snapshot is gone: "cache lookup failed", "could not open relation" (both
// XX000), undefined table, undefined object; and on a standby, that replay removed the rows a snapshot needs (40001).
const MOVED = new Set(['XX000', '42P01', '42704', '40001']);
const LOCK_NOT_AVAILABLE = '55P03';

/** How one transaction is opened and closed around the reading. */
type Bounds = { readonly open: string; readonly close: string; readonly undo: string };

const OWN: Bounds = {
  open: `begin isolation level repeatable read read only; ${SETTINGS}`,
  close: 'commit',
  undo: 'rollback',
};
// Inside a transaction of the caller's: rolling back to the savepoint gives back its settings and our locks, and changes
// nothing else, since nothing was written.
const NESTED: Bounds = {
  open: `savepoint safekeep_catalog; ${SETTINGS}`,
  close: 'rollback to savepoint safekeep_catalog; release savepoint safekeep_catalog',
  undo: 'rollback to savepoint safekeep_catalog; release savepoint safekeep_catalog',
};

/**
 * Runs `read` so that all its statements see one moment, with the session settings that make definitions print alike
 * everywhere. `read` may run several times: when the structure moves under it, it starts again.
 *
 * - a pool: one connection is borrowed;
 * - a connection without open transaction: its own REPEATABLE READ, READ ONLY transaction;
 * - a connection with one, or any other `Queryable` (taken for an open transaction): within it, at its isolation level, so
 *   that what it changed and has not committed is seen. Its settings stand afterwards as before.
 *
 * Nothing rests on session state, so a pooler in transaction mode may stand between.
 *
 * Throws `lock-timeout` when another session holds a table too long, `catalog-unsettled` when the structure kept moving.
 * A `statement_timeout` of the session holds for each statement and its error passes through.
 */
export async function inSnapshot<Result>(db: Queryable, read: (db: Queryable) => Promise<Result>): Promise<Result> {
  if (!isConnectionPool(db)) return settled(db, boundsFor(db), read);
  const connection = await db.connect();
  let sound = false;
  try {
    const result = await settled(connection, OWN, read);
    sound = true;
    return result;
  } finally {
    // After an unexpected error nobody knows what state the session is in.
    connection.release(!sound);
  }
}

function boundsFor(db: Connection | Queryable): Bounds {
  return isConnection(db) && db.getTransactionStatus() === 'I' ? OWN : NESTED;
}

async function settled<Result>(db: Queryable, bounds: Bounds, read: (db: Queryable) => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await once(db, bounds, read);
    } catch (error) {
      const code = sqlState(error);
      if (code === LOCK_NOT_AVAILABLE) {
        throw new SafekeepError('lock-timeout', { target: await lockedTables(db), tries }, { cause: error });
      }
      if (code === undefined || !MOVED.has(code)) throw error;
      if (tries === TRIES) throw new SafekeepError('catalog-unsettled', { tries }, { cause: error });
    }
  }
}

async function once<Result>(db: Queryable, bounds: Bounds, read: (db: Queryable) => Promise<Result>): Promise<Result> {
  try {
    await db.query(bounds.open);
    const result = await read(db);
    await db.query(bounds.close);
    return result;
  } catch (error) {
    // A lost connection cannot roll back, and need not: the server does. What went wrong first is what is told.
    await db.query(bounds.undo).catch(() => undefined);
    throw error;
  }
}

/** The tables that some session holds alone at this moment, for a message. */
async function lockedTables(db: Queryable): Promise<string> {
  const { rows } = await db.query(`
    select n.nspname::text as "schema", c.relname::text as "table"
    from pg_catalog.pg_locks l
    join pg_catalog.pg_database d on d.oid = l.database and d.datname = pg_catalog.current_database()
    join pg_catalog.pg_class c on c.oid = l.relation
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where l.mode = 'AccessExclusiveLock' and l.granted and c.relkind in ('r', 'p', 'v', 'm', 'f')
    order by 1, 2
    limit 5`);
  // The two columns are what the statement above selects.
  const tables = rows as readonly { readonly schema: string; readonly table: string }[];
  return tables.length === 0 ? 'a table that another session alters' : tables.map(formatTableName).join(', ');
}

function sqlState(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
