import type pg from 'pg';
import type { Capture } from '../../model.ts';

/** How each table is captured, as the last apply wrote it down. */
export async function readCaptures(client: pg.ClientBase, tenant: string): Promise<readonly Capture[]> {
  const { rows } = await client.query<{ definition: Capture }>(
    'select definition from safekeep.audit_captures where tenant_id = $1 order by table_name',
    [tenant],
  );
  return rows.map(({ definition }) => definition);
}

/** A trigger as it stands now. */
export type StandingTrigger = {
  readonly name: string;
  readonly isOn: boolean;
  /** Schema and name of what it calls. */
  readonly calls: string;
  /** It fires for some columns only. */
  readonly isNarrowed: boolean;
  /** As PostgreSQL writes it: its condition stands in it. */
  readonly text: string;
};

/** Undefined where there is no such table. */
export async function readTriggers(
  client: pg.ClientBase,
  table: { readonly schema: string; readonly name: string },
): Promise<readonly StandingTrigger[] | undefined> {
  const { rows } = await client.query<{ isThere: boolean; triggers: readonly StandingTrigger[] }>(
    `with found as (select pg_catalog.to_regclass(pg_catalog.format('%I.%I', $1::text, $2::text)) as relation)
     select f.relation is not null as "isThere", coalesce((
       select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', t.tgname, 'isOn', t.tgenabled in ('O', 'A'),
                'calls', n.nspname || '.' || p.proname, 'isNarrowed', t.tgattr::text <> '',
                'text', pg_catalog.pg_get_triggerdef(t.oid)))
         from pg_catalog.pg_trigger as t
         join pg_catalog.pg_proc as p on p.oid = t.tgfoid
         join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
        where t.tgrelid = f.relation and not t.tgisinternal), '[]') as triggers
       from found as f`,
    [table.schema, table.name],
  );
  const [found] = rows;
  return found?.isThere === true ? found.triggers : undefined;
}

export type StandingFunction = {
  readonly name: string;
  readonly sha256: string;
  readonly isDefiner: boolean;
  readonly settings: string;
};

/** Functions of schema safekeep by name, with the hash of their bodies. */
export async function readFunctions(client: pg.ClientBase, names: readonly string[]): Promise<readonly StandingFunction[]> {
  const { rows } = await client.query<StandingFunction>(
    `select p.proname::text as name, pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(p.prosrc, 'UTF8')), 'hex') as sha256,
            p.prosecdef as "isDefiner", coalesce(p.proconfig::text, '') as settings
       from pg_catalog.pg_proc as p
       join pg_catalog.pg_namespace as n on n.oid = p.pronamespace and n.nspname = 'safekeep'
      where p.proname::text = any ($1::text[])`,
    [names],
  );
  return rows;
}

/** Where somebody has set that triggers do not fire: for a login, a database, or both. */
export async function readReplicaSettings(client: pg.ClientBase): Promise<readonly string[]> {
  const { rows } = await client.query<{ place: string }>(
    `select coalesce(r.rolname, 'every login') || ' in ' || coalesce(d.datname, 'every database') as place
       from pg_catalog.pg_db_role_setting as s
       left join pg_catalog.pg_roles as r on r.oid = s.setrole
       left join pg_catalog.pg_database as d on d.oid = s.setdatabase
      where exists (select from pg_catalog.unnest(s.setconfig) as c (setting) where c.setting = 'session_replication_role=replica')
        and (s.setdatabase = 0 or d.datname = pg_catalog.current_database())`,
  );
  return rows.map(({ place }) => place);
}

/** Those of the tables about which the log has changes of rows. */
export async function wereCaptured(client: pg.ClientBase, tenant: string, tables: readonly string[]): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select t.name from pg_catalog.unnest($2::text[]) as t (name)
      where exists (select from safekeep.audit_events as e where e.tenant_id = $1 and e.table_name = t.name and e.kind = 'change')`,
    [tenant, tables],
  );
  return rows.map(({ name }) => name);
}
