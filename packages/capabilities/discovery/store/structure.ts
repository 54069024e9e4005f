import { createHash } from 'node:crypto';
import type pg from 'pg';

/** As many notes as the function in the database makes at most; then notes say nothing of what is new. */
const NOTES_AT_MOST = 5000;
/** After so long everything is looked at, whatever the notes say: somebody may have switched the trigger off for a while. */
const TRUSTED_FOR = '7 days';
/** Older ones are of no use to any tenant. */
const KEPT_FOR = '8 days';

/** Commands that bring columns, or change what a column is called, is of, or is said to be. */
const COMMANDS = [
  'CREATE TABLE',
  'CREATE TABLE AS',
  'SELECT INTO',
  'ALTER TABLE',
  'CREATE VIEW',
  'ALTER VIEW',
  'CREATE MATERIALIZED VIEW',
  'ALTER MATERIALIZED VIEW',
  'CREATE FOREIGN TABLE',
  'ALTER FOREIGN TABLE',
  'IMPORT FOREIGN SCHEMA',
  'ALTER TYPE',
  'ALTER SCHEMA',
  'COMMENT',
];

/** Event triggers are of the whole database, and each tenant has its own: one that leaves takes nothing from the others. */
export function watchName(tenant: string): string {
  return `safekeep_structure_${createHash('sha256').update(tenant).digest('hex').slice(0, 12)}`;
}

/** `name` as {@link watchName} makes it. Always: what a replica role changes is changed as well. */
export function createWatch(name: string): readonly string[] {
  return [
    `create event trigger ${name} on ddl_command_end when tag in (${COMMANDS.map((command) => `'${command}'`).join(', ')})
  execute function safekeep.note_structure()`,
    `alter event trigger ${name} enable always`,
  ];
}

export function dropWatch(name: string): string {
  return `drop event trigger if exists ${name}`;
}

const STANDING = `
  select keys.place::integer as place, found.definition as state, found.is_off as disabled
    from pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) with ordinality as keys (parts, place)
    cross join lateral (
      select pg_catalog.concat_ws(' ', e.evtevent, e.evttags::pg_catalog.text, n.nspname, p.proname) as definition, e.evtenabled <> 'A' as is_off
        from pg_catalog.pg_event_trigger as e
        join pg_catalog.pg_proc as p on p.oid = e.evtfoid
        join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
       where e.evtname = (keys.parts operator(pg_catalog.->>) 0)::pg_catalog.name
      offset 0
    ) as found`;

export function probeWatch(name: string): { readonly sql: string; readonly key: readonly string[] } {
  return { sql: STANDING, key: [name] };
}

/** One moment of a database: what is committed in it is known to whoever looks afterwards. */
export type Moment = { readonly snapshot: string; readonly systemIdentifier: string; readonly timeline: number };

/** Why everything is looked at again; `unchanged`: it need not be. */
export type Reason = 'unwatched' | 'first' | 'other-cluster' | 'long-ago' | 'many-notes' | 'noted' | 'unchanged';

/** Whether the structure may have changed since this tenant's last look, and the moment that a look from now on stands for. */
export async function readNotes(client: pg.ClientBase, tenant: string): Promise<Moment & { readonly reason: Reason }> {
  const { rows } = await client.query<Moment & { reason: Reason }>(
    `select pg_catalog.pg_current_snapshot()::text as snapshot, s.system_identifier::text as "systemIdentifier", c.timeline_id as timeline,
            case
              when not exists (select from pg_catalog.pg_event_trigger as e
                                 join pg_catalog.pg_proc as p on p.oid = e.evtfoid
                                 join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
                                where e.evtname = $2 and e.evtenabled = 'A' and n.nspname = 'safekeep' and p.proname = 'note_structure')
                or pg_catalog.current_setting('event_triggers', true) = 'off' then 'unwatched'
              when l.tenant_id is null then 'first'
              when l.system_identifier <> s.system_identifier::text or l.timeline <> c.timeline_id then 'other-cluster'
              when l.looked_at < pg_catalog.now() - interval '${TRUSTED_FOR}' then 'long-ago'
              when (select pg_catalog.count(*) from (select from safekeep.structure_notes limit ${NOTES_AT_MOST}) as n) >= ${NOTES_AT_MOST} then 'many-notes'
              when exists (select from safekeep.structure_notes where not pg_catalog.pg_visible_in_snapshot(xid, l.seen)) then 'noted'
              else 'unchanged'
            end as reason
       from pg_catalog.pg_control_system() as s cross join pg_catalog.pg_control_checkpoint() as c
       left join safekeep.structure_looks as l on l.tenant_id = $1`,
    [tenant, watchName(tenant)],
  );
  const [found] = rows;
  if (found === undefined) throw new Error('The server did not tell which cluster it is');
  return found;
}

/** The tenant has looked at everything that was there at that moment. */
export async function writeLook(
  client: pg.ClientBase,
  tenant: string,
  { snapshot, systemIdentifier, timeline }: Moment,
): Promise<void> {
  await client.query(
    `insert into safekeep.structure_looks (tenant_id, seen, system_identifier, timeline, looked_at) values ($1, $2, $3, $4, pg_catalog.now())
     on conflict (tenant_id) do update set seen = excluded.seen, system_identifier = excluded.system_identifier, timeline = excluded.timeline,
       looked_at = excluded.looked_at`,
    [tenant, snapshot, systemIdentifier, timeline],
  );
  await client.query(
    `delete from safekeep.structure_notes where tenant_id = '*' and noted_at < pg_catalog.now() - interval '${KEPT_FOR}'`,
  );
}
