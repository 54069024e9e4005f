import pg from 'pg';
import { SafekeepError } from '@safekeep/core';

/** The roles of rule 7: an owner nobody logs in as, and one group for each kind of user. */
export const OWNER = 'safekeep_owner';
const ROLES = [OWNER, 'safekeep_app', 'safekeep_client', 'safekeep_auditor', 'safekeep_ingest', 'safekeep_subject'] as const;

/** Who schema safekeep belongs to, and what this login may do about it, as the catalogs say. */
export type SchemaState = {
  readonly user: string;
  readonly database: string;
  readonly versionNumber: number;
  readonly mayCreate: boolean;
  readonly mayCreateRoles: boolean;
  readonly missingRoles: readonly string[];
  /** Null where the schema does not stand. */
  readonly schemaOwner: string | null;
  /** What stands in the schema is run as this login, so its owner must be Safekeep's, this login itself, or stronger than it. */
  readonly trusted: boolean;
  /** Something in the schema that belongs neither to the schema's owner nor to a superuser. */
  readonly stranger: string | null;
  readonly hasHistory: boolean;
  /** Anything but what an extension brought. */
  readonly occupied: boolean;
  /** SET ROLE to the schema's owner, or to OWNER where no schema stands. */
  readonly mayTakeOwner: boolean;
  readonly mayGrantOwner: boolean;
};

/** Reads catalogs only: any login may. Runs in a transaction of our own. */
export async function readSchemaState(client: pg.ClientBase): Promise<SchemaState> {
  const { rows } = await client.query<SchemaState>(
    `select me.rolname::text as "user",
            current_database()::text as database,
            v.number as "versionNumber",
            has_database_privilege(current_database(), 'CREATE') as "mayCreate",
            me.rolsuper or me.rolcreaterole as "mayCreateRoles",
            array(select name from unnest($1::text[]) as name where to_regrole(name) is null) as "missingRoles",
            case when n.oid is not null then o.rolname::text end as "schemaOwner",
            o.rolname = $2 or o.oid = me.oid or o.rolsuper or (not me.rolsuper and pg_has_role(o.oid, 'MEMBER')) as trusted,
            (select object from (
               select relowner, 'relation ' || relname from pg_class where relnamespace = n.oid
               union all select proowner, 'function ' || proname from pg_proc where pronamespace = n.oid) as contents (owner, object)
              where owner <> n.nspowner and not (select rolsuper from pg_roles as r where r.oid = owner)
              order by object limit 1) as stranger,
            exists (select from pg_class where relnamespace = n.oid and relname = 'migration_history') as "hasHistory",
            exists (select from pg_depend as d
                     where d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid and d.deptype = 'n'
                       and d.classid <> 'pg_extension'::regclass
                       and not exists (select from pg_depend as e
                                        where e.classid = d.classid and e.objid = d.objid and e.deptype = 'e')) as occupied,
            -- PostgreSQL 16 split membership: only one WITH SET may take the role on.
            coalesce(pg_has_role(o.oid, case when v.number >= 160000 then 'SET' else 'MEMBER' end), false) as "mayTakeOwner",
            coalesce(pg_has_role(o.oid, 'MEMBER WITH ADMIN OPTION') or (v.number < 160000 and me.rolcreaterole), false)
              as "mayGrantOwner"
       from (select current_setting('server_version_num')::int) as v (number)
       join pg_roles as me on me.rolname = current_user
       left join pg_namespace as n on n.nspname = 'safekeep'
       left join pg_roles as o on o.oid = coalesce(n.nspowner, to_regrole($2))`,
    [ROLES, OWNER],
  );
  const [state] = rows;
  if (state === undefined) throw new Error('The server did not answer for the owner of schema safekeep');
  return state;
}

/**
 * Whoever could plant a trigger or a way back in schema safekeep would have it run by the next administrator who migrates.
 *
 * @throws `schema-foreign`.
 */
export function refuseForeignSchema({ schemaOwner, trusted, stranger, hasHistory, occupied }: SchemaState): void {
  if (schemaOwner === null) return;
  const foreign = (reason: string): SafekeepError =>
    new SafekeepError('schema-foreign', { schema: 'safekeep', reason, owner: schemaOwner });
  if (!trusted) throw foreign(`it belongs to ${schemaOwner}`);
  if (stranger !== null) throw foreign(`the ${stranger} in it belongs to somebody else than the schema`);
  if (!hasHistory && occupied) throw foreign('it is not empty, yet has no history of migrations');
}

/**
 * The role that owns schema safekeep, or is to own it: who owns it now; else a role of its own; else, where no roles can be
 * made (some managed databases), the login that migrates.
 *
 * @throws `schema-foreign`, `privilege-missing` with the statement that gives what is missing.
 */
export function ownerFor(state: SchemaState): string {
  refuseForeignSchema(state);
  const { user, versionNumber, missingRoles, mayCreateRoles, mayTakeOwner, mayGrantOwner } = state;
  const noRoles = missingRoles.length === ROLES.length && !mayCreateRoles;
  const owner = state.schemaOwner ?? (noRoles ? user : OWNER);
  if (owner === OWNER && missingRoles.length > 0 && !mayCreateRoles) {
    const grant = missingRoles.map((role) => `CREATE ROLE ${role} NOLOGIN;`).join(' ');
    throw new SafekeepError('privilege-missing', { user, right: `CREATEROLE, to make ${missingRoles.join(', ')}`, grant });
  }
  if (owner === user || missingRoles.includes(owner) || mayTakeOwner || mayGrantOwner) return owner;
  const granted = `${owner === OWNER ? OWNER : pg.escapeIdentifier(owner)} TO ${pg.escapeIdentifier(user)}`;
  throw new SafekeepError('privilege-missing', {
    user,
    right: `membership in ${owner}, the owner of schema safekeep`,
    grant: `GRANT ${granted}${versionNumber >= 160_000 ? ' WITH SET TRUE' : ''};`,
  });
}

/** Makes the roles that are missing and lets this login take the owner on. Roles belong to the whole server. */
export async function prepareOwner(client: pg.ClientBase, state: SchemaState, owner: string): Promise<void> {
  if (owner === OWNER) {
    for (const role of state.missingRoles) await client.query(`create role ${client.escapeIdentifier(role)} nologin`);
  }
  if (owner === state.user) return;
  const { mayTakeOwner } = state.missingRoles.includes(owner) ? await readSchemaState(client) : state;
  if (!mayTakeOwner) await client.query(`grant ${client.escapeIdentifier(owner)} to current_user`);
}
