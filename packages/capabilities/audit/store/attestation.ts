import type pg from 'pg';

type Client = Pick<pg.ClientBase, 'query'>;

export type Found = {
  readonly triggers: readonly { readonly name: string; readonly firing: string; readonly function: string }[] | null;
  readonly functions: readonly { readonly name: string; readonly sha256: string; readonly definer: boolean }[] | null;
};

/** What stands of a capture: looked for by its functions, since the table may bear another name by now. */
export async function readStanding(client: Client, functions: readonly string[]): Promise<Found> {
  const { rows } = await client.query<Found>(
    `with made as (
       select p.oid, p.proname::text as name, encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex') as sha256, p.prosecdef as definer
         from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace and n.nspname = 'safekeep' where p.proname::text = any ($1::text[])
     ) select (select json_agg(json_build_object('name', t.tgname, 'firing', t.tgenabled, 'function', f.proname))
                 from pg_trigger as t join pg_proc as f on f.oid = t.tgfoid
                where t.tgname like 'safekeep\\_audit\\_%' and t.tgparentid = 0
                  and t.tgrelid in (select a.tgrelid from pg_trigger as a join made on made.oid = a.tgfoid)) as triggers,
              (select json_agg(json_build_object('name', name, 'sha256', sha256, 'definer', definer)) from made) as functions`,
    [functions],
  );
  return rows[0] ?? { triggers: null, functions: null };
}

/** Logins and databases that are set to replay as a replica does: there no trigger of ours fires, and nobody is told. */
export async function readReplicaSettings(client: Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select coalesce(r.rolname::text, 'every login') || coalesce(' in ' || d.datname, '') as name
       from pg_db_role_setting as s left join pg_roles as r on r.oid = s.setrole left join pg_database as d on d.oid = s.setdatabase
      where exists (select from unnest(s.setconfig) as c where lower(c) like 'session_replication_role=%' and lower(c) not like '%=origin')
        and (s.setdatabase = 0 or d.datname = current_database())`,
  );
  return rows.map(({ name }) => name);
}

/** Shared functions that captures rest on, as they were when they were made: their hash is kept with the migration's functions. */
export async function readMissingFunctions(client: Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ object: string }>(
    `select v.object from safekeep.function_versions as v
      where v.needs = '0010' and to_regprocedure(replace(v.object, 'function ', '')) is null`,
  );
  return rows.map(({ object }) => object);
}
