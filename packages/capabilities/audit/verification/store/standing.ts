import type pg from 'pg';
import { FUNCTION_CALL } from '@safekeep/postgres';
import type { Capture } from '../../model.ts';

/** How each table is captured, as the last apply wrote it down. A table with a column for the tenant is every tenant's. */
export async function readCaptures(client: pg.ClientBase, tenant: string): Promise<readonly Capture[]> {
  const { rows } = await client.query<{ definition: Capture }>(
    `select definition from safekeep.audit_captures where tenant_id = $1 or definition ->> 'tenantColumn' is not null order by table_name, tenant_id`,
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

/** What is below a captured table, a partition or what inherits, and not captured itself. */
export type StandingPart = {
  readonly name: string;
  readonly guards: number;
  readonly isDisabled: boolean;
  /** What its parent's capture has on it is disabled. */
  readonly isUnheard: boolean;
};

/**
 * Checks on a table by the name of those that `encrypt` makes, of which no encrypted field knows: beside such a column a capture writes no plaintext
 * and a verification compares none, so whoever plants one hides a column. By field and column: a name alone can be taken over.
 */
export async function readPlantedChecks(
  client: pg.ClientBase,
  { tenant, schema, name }: { readonly tenant: string; readonly schema: string; readonly name: string },
): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select c.conname::text as name
       from pg_catalog.pg_constraint as c
      where c.conrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', $2::text, $3::text)) and c.contype = 'c'
        and pg_catalog.starts_with(c.conname::text, 'zz_safekeep_sealed_')
        and not exists (
          select from safekeep.fields as f
            join pg_catalog.pg_attribute as a on a.attrelid = c.conrelid and a.attname = f.encrypted_column and not a.attisdropped
           where f.tenant_id = $1 and f.table_schema = $2 and f.table_name = $3
             and c.conname::text = 'zz_safekeep_sealed_' || pg_catalog.right(pg_catalog.replace(f.field_id::text, '-', ''), 12)
             and c.conkey = array[a.attnum])
      order by 1`,
    [tenant, schema, name],
  );
  return rows.map((row) => row.name);
}

/** With the number of triggers that refuse to empty it by its own name: two, before and after. */
export async function readParts(
  client: pg.ClientBase,
  { schema, name }: { readonly schema: string; readonly name: string },
): Promise<readonly StandingPart[]> {
  const { rows } = await client.query<StandingPart>(
    `with recursive below (oid) as (
       select i.inhrelid from pg_catalog.pg_inherits as i where i.inhparent = pg_catalog.to_regclass(pg_catalog.format('%I.%I', $1::text, $2::text))
       union
       select i.inhrelid from below as b join pg_catalog.pg_inherits as i on i.inhparent = b.oid
     )
     select pg_catalog.format('%I.%I', n.nspname, c.relname) as name, found.guards, found."isDisabled", found."isUnheard"
       from below as b
       join pg_catalog.pg_class as c on c.oid = b.oid and c.relkind in ('r', 'p')
       join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      cross join lateral (
        select pg_catalog.count(*)::integer as guards, coalesce(pg_catalog.bool_or(t.tgenabled not in ('O', 'A')), false) as "isDisabled"
          from pg_catalog.pg_trigger as t
         where t.tgrelid = c.oid and t.tgfoid = pg_catalog.to_regproc('safekeep.refuse_truncate_of_part') and t.tgqual is null
      ) as guard
      cross join lateral (
        select guard.guards, guard."isDisabled", coalesce((
          select pg_catalog.bool_or(t.tgenabled not in ('O', 'A')) from pg_catalog.pg_trigger as t
           where t.tgrelid = c.oid and t.tgparentid <> 0 and t.tgname::text like 'safekeep\\_audit\\_%'), false) as "isUnheard"
      ) as found
      where not exists (select from pg_catalog.pg_trigger as t where t.tgrelid = c.oid and t.tgname = 'safekeep_audit_truncate')
      order by 1`,
    [schema, name],
  );
  return rows;
}

export type StandingFunction = {
  readonly name: string;
  readonly body: string;
  readonly isDefiner: boolean;
  /** See `FUNCTION_CALL`. */
  readonly call: string;
  readonly settings: readonly string[];
  /** Of whoever owns the schema. */
  readonly isOwn: boolean;
  /** Whether everybody may execute it. */
  readonly isOpen: boolean;
};

/** Functions of schema safekeep with these names. */
export async function readFunctions(client: pg.ClientBase, names: readonly string[]): Promise<readonly StandingFunction[]> {
  const { rows } = await client.query<StandingFunction>(
    `select p.proname::text as name, p.prosrc as body, p.prosecdef as "isDefiner", ${FUNCTION_CALL} as call, p.proowner = n.nspowner as "isOwn",
            coalesce(p.proconfig, '{}') as settings,
            exists (select from pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) as a where a.grantee = 0) as "isOpen"
       from pg_catalog.pg_proc as p
       join pg_catalog.pg_namespace as n on n.oid = p.pronamespace and n.nspname = 'safekeep'
      where p.proname::text = any ($1::text[])`,
    [names],
  );
  return rows;
}

/**
 * What stands in the way of an event between a table and the log: on the log's own tables nothing may fire, be rewritten, be filled in or be
 * filtered for their owner, they must survive a crash, and nobody else may write to them. Each as a sentence.
 */
export async function readTableFaults(client: pg.ClientBase): Promise<readonly string[]> {
  const { rows } = await client.query<{ fault: string }>(
    `with own as (
       select c.*, n.nspowner from pg_catalog.pg_class as c
         join pg_catalog.pg_namespace as n on n.oid = c.relnamespace and n.nspname = 'safekeep'
        where c.relkind in ('r', 'p', 'S') and c.relname like 'audit\\_%'
     )
     select 'safekeep.' || f.relname || ' ' || f.fault as fault from (
       select relname, 'has the trigger ' || t.tgname as fault from own join pg_catalog.pg_trigger as t on t.tgrelid = own.oid and not t.tgisinternal
       union all
       select relname, 'has the rule ' || r.rulename from own join pg_catalog.pg_rewrite as r on r.ev_class = own.oid
       union all
       select relname, 'is unlogged: a crash empties it' from own where relpersistence <> 'p'
       union all
       select relname, 'belongs to another than its schema' from own where relowner <> nspowner
       union all
       select relname, 'hides rows from its owner' from own where relforcerowsecurity
       union all
       select relname, 'has lost its row security' from own where relkind <> 'S' and not relrowsecurity
       union all
       select relname, 'fills in its column ' || a.attname from own join pg_catalog.pg_attribute as a on a.attrelid = own.oid
        where relname like 'audit\\_inbox\\_%' and a.attnum > 0 and a.atthasdef
       union all
       select relname, 'may be written to by ' || coalesce(g.rolname, 'everybody')
         from own cross join lateral pg_catalog.aclexplode(relacl) as a left join pg_catalog.pg_roles as g on g.oid = a.grantee
        where a.grantee <> relowner and a.privilege_type <> 'SELECT' and relkind <> 'S'
        group by relname, g.rolname
       union all
       select relname, 'does not count on by one' from own join pg_catalog.pg_sequence as s on s.seqrelid = own.oid
        where s.seqincrement <> 1 or s.seqcycle) as f
      order by 1`,
  );
  return rows.map(({ fault }) => fault);
}

/**
 * SHA-256 in hex over all that the log rests on, as the catalogs have it: functions, triggers that call them, the log's tables with their rules, policies,
 * columns and rights, the captures, the checks by which a column counts as encrypted, and who is a member of Safekeep's roles. Two of different times that are the same say that nothing was changed;
 * months come and go and are not in it.
 */
export async function readDigest(client: pg.ClientBase): Promise<string> {
  const { rows } = await client.query<{ digest: string }>(
    `with own as (
       select c.* from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace and n.nspname = 'safekeep'
        where c.relkind in ('r', 'p', 'S', 'v') and not c.relispartition
     ), functions as (
       select p.* from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace and n.nspname = 'safekeep' where p.prokind = 'f'
     ), told as (
       select pg_catalog.concat_ws(' ', 'function', pg_catalog.pg_get_functiondef(oid), proowner::pg_catalog.regrole, proacl) as line from functions
       union all
       select pg_catalog.concat_ws(' ', 'trigger', pg_catalog.pg_get_triggerdef(t.oid), t.tgenabled) from pg_catalog.pg_trigger as t
        where not t.tgisinternal and t.tgparentid = 0
          and (t.tgfoid in (select oid from functions) or t.tgrelid in (select oid from own))
       union all
       select pg_catalog.concat_ws(' ', 'table', relname, relkind, relpersistence, relowner::pg_catalog.regrole, relacl, relrowsecurity, relforcerowsecurity) from own
       union all
       select pg_catalog.concat_ws(' ', 'column', own.relname, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attacl,
                pg_catalog.pg_get_expr(d.adbin, d.adrelid))
         from own join pg_catalog.pg_attribute as a on a.attrelid = own.oid and a.attnum > 0 and not a.attisdropped
         left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
       union all
       select pg_catalog.concat_ws(' ', 'sequence', own.relname, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle)
         from own join pg_catalog.pg_sequence as s on s.seqrelid = own.oid
       union all
       select pg_catalog.concat_ws(' ', 'rule', pg_catalog.pg_get_ruledef(r.oid)) from own join pg_catalog.pg_rewrite as r on r.ev_class = own.oid
       union all
       select pg_catalog.concat_ws(' ', 'policy', own.relname, p.polname, p.polpermissive, p.polcmd, p.polroles, pg_catalog.pg_get_expr(p.polqual, p.polrelid),
                pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
         from own join pg_catalog.pg_policy as p on p.polrelid = own.oid
       union all
       select pg_catalog.concat_ws(' ', 'member', m.roleid::pg_catalog.regrole, m.member::pg_catalog.regrole)
         from pg_catalog.pg_auth_members as m join pg_catalog.pg_roles as r on r.oid = m.roleid and r.rolname like 'safekeep\\_%'
       union all
       select pg_catalog.concat_ws(' ', 'check', n.nspname, c.relname, k.conname, pg_catalog.pg_get_constraintdef(k.oid))
         from pg_catalog.pg_constraint as k join pg_catalog.pg_class as c on c.oid = k.conrelid join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        where k.contype = 'c' and pg_catalog.starts_with(k.conname::text, 'zz_safekeep_sealed_')
       union all
       select pg_catalog.concat_ws(' ', 'capture', tenant_id, table_name, definition) from safekeep.audit_captures
     )
     select pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.string_agg(line, E'\n' order by line collate "C"), 'UTF8')), 'hex') as digest
       from told`,
  );
  return rows[0]?.digest ?? '';
}

/** Where the functions of pgcrypto are, as it stands in a statement. */
export async function readCryptoSchema(client: pg.ClientBase): Promise<string> {
  const { rows } = await client.query<{ name: string }>(
    `select pg_catalog.quote_ident(n.nspname) as name from pg_catalog.pg_extension as e
       join pg_catalog.pg_namespace as n on n.oid = e.extnamespace where e.extname = 'pgcrypto'`,
  );
  return rows[0]?.name ?? '';
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

/** Those of the tables about which the log has changes of rows, with the place of the newest. */
export async function wereCaptured(
  client: pg.ClientBase,
  tenant: string,
  tables: readonly string[],
): Promise<readonly { readonly table: string; readonly era: number; readonly index: number }[]> {
  const { rows } = await client.query<{ table: string; era: number; index: number }>(
    `select t.name as "table", e.era, e.leaf_index::float8 as index from pg_catalog.unnest($2::text[]) as t (name)
      cross join lateral (
        select era, leaf_index from safekeep.audit_events where tenant_id = $1 and table_name = t.name and kind = 'change'
         order by audit_events.era desc, audit_events.leaf_index desc limit 1) as e`,
    [tenant, tables],
  );
  return rows;
}
