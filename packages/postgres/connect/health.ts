import { sql } from 'kysely';
import type { Database } from '../database.ts';

/** What a login can do and how it is connected, as the server itself says. */
export type ServerHealth = {
  readonly user: string;
  readonly readOnly: boolean;
  /** CREATE on the database, or the schema stands already. */
  readonly mayCreate: boolean;
  readonly mayCreateRoles: boolean;
  /** The statement that gives the right to create. */
  readonly grantCreate: string;
  /** e.g. `TLSv1.3, TLS_AES_256_GCM_SHA384`; undefined without TLS. */
  readonly tls: string | undefined;
  readonly pgcrypto: 'installed' | 'available' | 'missing';
  /** Whether the role that owns schema safekeep exists. */
  readonly ownerRole: boolean;
  /** Why row security would not bind this login; undefined when it does. */
  readonly strength: string | undefined;
  readonly serverTime: Date;
  readonly roundTripMs: number;
};

type Row = Omit<ServerHealth, 'tls' | 'strength' | 'roundTripMs'> & {
  readonly tls: string | null;
  readonly strength: string | null;
};

export async function readServerHealth(db: Database): Promise<ServerHealth> {
  const startedMs = performance.now();
  const { rows } = await sql<Row>`
    select current_user as "user",
           pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean as "readOnly",
           has_database_privilege(current_database(), 'CREATE') or to_regnamespace('safekeep') is not null as "mayCreate",
           r.rolcreaterole or r.rolsuper as "mayCreateRoles",
           format('GRANT CREATE ON DATABASE %I TO %I;', current_database(), current_user) as "grantCreate",
           (select version || ', ' || cipher from pg_stat_ssl where pid = pg_backend_pid() and ssl) as tls,
           case when exists (select from pg_extension where extname = 'pgcrypto') then 'installed'
                when exists (select from pg_available_extensions where name = 'pgcrypto') then 'available' else 'missing' end as pgcrypto,
           to_regrole('safekeep_owner') is not null as "ownerRole",
           case when r.rolsuper then 'a superuser' when r.rolbypassrls then 'exempt from row security (BYPASSRLS)'
                when to_regrole('safekeep_owner') is not null and pg_has_role(current_user, 'safekeep_owner', 'MEMBER')
                  then 'a member of the owner of schema safekeep' end as strength,
           clock_timestamp() as "serverTime"
      from pg_roles r where r.rolname = current_user`.execute(db.kysely);
  const [row] = rows;
  if (row === undefined) throw new Error('The server did not answer for its own health');
  return { ...row, tls: row.tls ?? undefined, strength: row.strength ?? undefined, roundTripMs: performance.now() - startedMs };
}
