import { isSafekeepError, type SafekeepError } from '@safekeep/core';
import type { Database } from '../database.ts';
import { OWNER, ownerFor, readSchemaState, type SchemaState } from '../migrations/ownership.ts';
import { operationFailure } from './failures.ts';
import { ownTransaction } from './own-transaction.ts';

/** What a login can do and how it is connected, as the server itself says. */
export type ServerHealth = {
  readonly user: string;
  readonly readOnly: boolean;
  /** CREATE on the database, or the schema stands already. */
  readonly mayCreate: boolean;
  /** The statement that gives the right to create. */
  readonly grantCreate: string;
  /** e.g. `TLSv1.3, TLS_AES_256_GCM_SHA384`; undefined without TLS. */
  readonly tls: string | undefined;
  /** What a transaction has that says none: `read committed` unless the login, the database or the server was set otherwise. */
  readonly isolation: string;
  readonly pgcrypto: 'installed' | 'available' | 'missing';
  /** Whether schema safekeep stands, with the history of its migrations. */
  readonly installed: boolean;
  /** Who owns schema safekeep or would after a migration by this login; or why it may not migrate, as migrating would say. */
  readonly owner: string | SafekeepError;
  /** Why row security would not bind this login; undefined when it does. */
  readonly strength: string | undefined;
  readonly serverTime: Date;
  readonly roundTripMs: number;
};

type Row = Pick<ServerHealth, 'readOnly' | 'grantCreate' | 'isolation' | 'pgcrypto'> & {
  readonly tls: string | null;
  readonly strength: string | null;
  readonly serverTime: string;
};

/** @throws `statement-cancelled`, `connection-lost`. */
export async function readServerHealth(db: Database): Promise<ServerHealth> {
  const startedMs = performance.now();
  try {
    const { row, state } = await ownTransaction(db, 'read', async (client) => ({
      row: (await client.query<Row>(HEALTH, [OWNER])).rows[0],
      state: await readSchemaState(client),
    }));
    if (row === undefined) throw new Error('The server did not answer for its own health');
    return {
      ...row,
      user: state.user,
      mayCreate: state.mayCreate || state.schemaOwner !== null,
      installed: state.hasHistory,
      owner: ownerOrRefusal(state),
      tls: row.tls ?? undefined,
      strength: row.strength ?? undefined,
      serverTime: new Date(row.serverTime),
      roundTripMs: performance.now() - startedMs,
    };
  } catch (error) {
    throw operationFailure(error, 'asking the server for its health');
  }
}

const HEALTH = `
  select pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean as "readOnly",
         format('GRANT CREATE ON DATABASE %I TO %I;', current_database(), current_user) as "grantCreate",
         (select version || ', ' || cipher from pg_stat_ssl where pid = pg_backend_pid() and ssl) as tls,
         current_setting('default_transaction_isolation') as isolation,
         case when exists (select from pg_extension where extname = 'pgcrypto') then 'installed'
              when exists (select from pg_available_extensions where name = 'pgcrypto') then 'available' else 'missing' end as pgcrypto,
         case when r.rolsuper then 'a superuser' when r.rolbypassrls then 'exempt from row security (BYPASSRLS)'
              when pg_has_role(to_regrole($1), 'MEMBER') then 'a member of the owner of schema safekeep' end as strength,
         to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "serverTime"
    from pg_roles as r where r.rolname = current_user`;

function ownerOrRefusal(state: SchemaState): string | SafekeepError {
  try {
    return ownerFor(state);
  } catch (error) {
    if (isSafekeepError(error)) return error;
    throw error;
  }
}
