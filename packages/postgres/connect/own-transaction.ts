import type pg from 'pg';
import type { Database } from '../database.ts';

type Access = 'read' | 'write';

const READ_TIMEOUT = '60s';
const TRANSACTION_TIMEOUT_SINCE = 170_000;

/**
 * A transaction of Safekeep's own, which nothing that the login or the database has set can bend. No schema is searched, so
 * that a function planted in `public` never stands in for a built-in one (CVE-2018-1058): pg_catalog alone is implicit, and
 * tables are named with their schema. Dates come as ISO 8601 at UTC. SET LOCAL, because a pooler may hand the session on.
 */
export async function ownTransaction<Result>(
  db: Database,
  access: Access,
  run: (client: pg.ClientBase) => Promise<Result>,
): Promise<Result> {
  return await db.withClient(async (client) => {
    await client.query(beginning(access, db.server.versionNumber));
    const result = await run(client);
    await client.query('commit');
    return result;
  });
}

function beginning(access: Access, versionNumber: number): string {
  // Not READ WRITE: a database that was made read-only is to stay so, and to say it.
  const mode = access === 'read' ? 'read only' : '';
  return [
    // A stricter isolation would look at the past after waiting for the lock of another runner.
    `begin isolation level read committed ${mode}`,
    `set local search_path = ''`,
    `set local statement_timeout = '${access === 'read' ? READ_TIMEOUT : '0'}'`,
    'set local idle_in_transaction_session_timeout = 0',
    ...(versionNumber >= TRANSACTION_TIMEOUT_SINCE ? ['set local transaction_timeout = 0'] : []),
    'set local standard_conforming_strings = on',
    `set local datestyle = 'ISO, YMD'`,
    `set local timezone = 'UTC'`,
  ].join('; ');
}
