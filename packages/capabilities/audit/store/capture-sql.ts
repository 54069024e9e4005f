import { createHash } from 'node:crypto';
import pg from 'pg';
import type { Capture, CapturedColumn, ColumnForm } from '../model.ts';

// The statements that make a table's changes known. Names are quoted by the library; nothing of a row becomes text of a statement.

/** Longer values, as stored, are hashed: a jsonb string ends at 256 MB, and compression of 255:1 with two digits a byte fits below it. */
const LARGE_BYTES = 500_000;
/** A function takes 100 arguments, and a column needs two. */
const PAIRS_AT_MOST = 45;

const INBOX_COLUMNS = `(tenant_id, xid, order_no, at, kind, action, table_name, record, new_record, links, old_links, old, new, keys_only,
      actor, purpose, request, proof, backend, began, login, application)`;

export type CaptureShape = Omit<Capture, 'triggers' | 'functions'> & {
  /** Partitions and tables of an inheritance: what is written into one by the name of another is seen by row triggers alone. */
  readonly partitioned: boolean;
};

export type CaptureFunction = { readonly name: string; readonly statement: string; readonly sha256: string };
export type CaptureTrigger = { readonly name: string; readonly statement: string };

export type CaptureParts = { readonly functions: readonly CaptureFunction[]; readonly triggers: readonly CaptureTrigger[] };

/** Everything that stands for one table. The names of functions follow from the table's, so that two never meet. */
export function captureParts(shape: CaptureShape): CaptureParts {
  const stem = createHash('sha256')
    .update(JSON.stringify([shape.tenant, shape.table]))
    .digest('hex')
    .slice(0, 12);
  const make = (operation: string, body: string): CaptureFunction => {
    const name = `capture_${operation}_${stem}`;
    const statement = `create or replace function safekeep.${name}() returns trigger
  language plpgsql security definer
  set search_path = ''${settingsFor(shape.columns)}
  as ${pg.escapeLiteral(body)}`;
    return { name, statement, sha256: createHash('sha256').update(body).digest('hex') };
  };
  const insert = make('insert', shape.partitioned ? rowInsert(shape) : statementInsert(shape));
  const update = make('update', shape.partitioned ? rowUpdate(shape) : statementUpdate(shape));
  const remove = make('delete', shape.partitioned ? rowDelete(shape) : statementDelete(shape));
  return { functions: [insert, update, remove], triggers: triggersOf(shape, { insert, update, remove }) };
}

type Made = { readonly insert: CaptureFunction; readonly update: CaptureFunction; readonly remove: CaptureFunction };

function triggersOf(shape: CaptureShape, { insert, update, remove }: Made): readonly CaptureTrigger[] {
  const on = `${pg.escapeIdentifier(shape.schema)}.${pg.escapeIdentifier(shape.name)}`;
  const call = ({ name }: CaptureFunction) => `execute function safekeep.${name}()`;
  const [tenant, table] = [pg.escapeLiteral(shape.tenant), pg.escapeLiteral(shape.table)];
  const trigger = (name: string, rest: string): CaptureTrigger => ({ name, statement: `create trigger ${name} ${rest}` });
  return [
    shape.partitioned
      ? trigger('safekeep_audit_insert', `after insert on ${on} for each row ${call(insert)}`)
      : trigger(
          'safekeep_audit_insert',
          `after insert on ${on} referencing new table as safekeep_new for each statement ${call(insert)}`,
        ),
    shape.partitioned
      ? trigger(
          'safekeep_audit_update',
          `after update on ${on} for each row when (old.* operator(pg_catalog.*<>) new.*) ${call(update)}`,
        )
      : trigger(
          'safekeep_audit_update',
          `after update on ${on} referencing old table as safekeep_old new table as safekeep_new for each statement ${call(update)}`,
        ),
    shape.partitioned
      ? trigger('safekeep_audit_delete', `after delete on ${on} for each row ${call(remove)}`)
      : trigger(
          'safekeep_audit_delete',
          `after delete on ${on} referencing old table as safekeep_old for each statement ${call(remove)}`,
        ),
    trigger(
      'safekeep_audit_count',
      `before truncate on ${on} for each statement execute function safekeep.count_before_truncate()`,
    ),
    trigger(
      'safekeep_audit_truncate',
      `after truncate on ${on} for each statement execute function safekeep.note_truncate(${tenant}, ${table})`,
    ),
    ...(shape.actor === 'require'
      ? [
          trigger(
            'safekeep_audit_actor',
            `before insert or update or delete or truncate on ${on} for each statement execute function safekeep.require_actor(${tenant})`,
          ),
        ]
      : []),
  ];
}

/** Functions change hands, and are closed to those who would hang them on tables of their own and so write into the log. */
export function ownStatement(functions: readonly CaptureFunction[]): string {
  const names = functions.map(({ name }) => pg.escapeLiteral(name)).join(', ');
  return `do $own$
declare
  owner constant name := (select r.rolname from pg_catalog.pg_namespace as n join pg_catalog.pg_roles as r on r.oid = n.nspowner where n.nspname = 'safekeep');
  made name;
begin
  foreach made in array array[${names}]::name[] loop
    execute pg_catalog.format('alter function safekeep.%I() owner to %I', made, owner);
    execute pg_catalog.format('revoke all on function safekeep.%I() from public', made);
  end loop;
end
$own$`;
}

export function dropStatements(functions: readonly CaptureFunction[]): readonly string[] {
  // Cascade: the triggers go along, also those on a table that was renamed since or hangs as a partition elsewhere.
  return functions.map(({ name }) => `drop function if exists safekeep.${name}() cascade`);
}

/** The shared functions' triggers do not go with a function. By number, because the table may bear another name by now. */
export function dropTriggersStatement(shape: CaptureShape): string {
  const [tenant, table] = [pg.escapeLiteral(shape.tenant), pg.escapeLiteral(shape.table)];
  return `do $drop$
declare
  found record;
begin
  for found in
    select t.tgname, t.tgrelid::pg_catalog.regclass as relation
      from pg_catalog.pg_trigger as t
     where t.tgparentid = 0 and not t.tgisinternal and t.tgname like 'safekeep\\_audit\\_%'
       and t.tgrelid in (select a.tgrelid from pg_catalog.pg_trigger as a
                          where a.tgname = 'safekeep_audit_truncate'
                            and a.tgargs = pg_catalog.convert_to(${tenant}, 'UTF8') || '\\x00' || pg_catalog.convert_to(${table}, 'UTF8') || '\\x00')
  loop
    execute pg_catalog.format('drop trigger if exists %I on %s', found.tgname, found.relation);
  end loop;
end
$drop$`;
}

export function upsertDefinition(capture: Capture): string {
  const values = [capture.tenant, capture.table, JSON.stringify(capture)].map((text) => pg.escapeLiteral(text)).join(', ');
  return `insert into safekeep.audit_captures (tenant_id, table_name, definition) values (${values})
on conflict (tenant_id, table_name) do update set definition = excluded.definition`;
}

export function deleteDefinition({ tenant, table }: CaptureShape): string {
  return `delete from safekeep.audit_captures where tenant_id = ${pg.escapeLiteral(tenant)} and table_name = ${pg.escapeLiteral(table)}`;
}

/** What stands of a capture: each trigger and whether it fires, each function's body and rights, and the definition. */
export const PROBE_CAPTURE = `
  select keys.place::integer as place,
         coalesce(found.triggers, '') || E'\\n' || coalesce(made.functions, '') || E'\\n' || coalesce(kept.definition, '') as state,
         coalesce(found.disabled, false) as disabled
    from pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) with ordinality as keys (parts, place)
    cross join lateral (
      select pg_catalog.array_agg(p.oid) as oids,
             pg_catalog.string_agg(p.proname || ' ' || pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(p.prosrc, 'UTF8')), 'hex')
               || ' ' || p.prosecdef || ' ' || coalesce(p.proconfig::text, ''), E'\\n' order by p.proname) as functions
        from pg_catalog.pg_proc as p
        join pg_catalog.pg_namespace as n on n.oid = p.pronamespace and n.nspname = 'safekeep'
       where p.proname::text in (select pg_catalog.jsonb_array_elements_text(keys.parts) offset 2)
    ) as made
    cross join lateral (
      -- By the functions that they call and not by the table's name: the table may bear another by now.
      select pg_catalog.string_agg(pg_catalog.pg_get_triggerdef(t.oid), E'\\n' order by t.tgname) as triggers,
             pg_catalog.bool_or(t.tgenabled not in ('O', 'A')) as disabled
        from pg_catalog.pg_trigger as t
       where t.tgname like 'safekeep\\_audit\\_%' and t.tgparentid = 0
         and t.tgrelid in (select a.tgrelid from pg_catalog.pg_trigger as a where a.tgfoid = any (made.oids) and a.tgparentid = 0)
    ) as found
    left join lateral (
      select pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(c.definition::text, 'UTF8')), 'hex') as definition
        from safekeep.audit_captures as c
       where c.tenant_id = keys.parts operator(pg_catalog.->>) 0 and c.table_name = keys.parts operator(pg_catalog.->>) 1
    ) as kept on true
   where made.functions is not null`;

// ---- bodies ----------------------------------------------------------------------------------------------------------

/** What our reading of a row fails with where the table is not as it was mapped any more. */
const NOT_AS_MAPPED = 'undefined_column or datatype_mismatch or undefined_function or cannot_coerce';

function rowUpdate(shape: CaptureShape): string {
  return `
declare
${CHANGE_VARIABLES}
begin
  -- What fails here is our reading of the row, never the application's change: then the whole row is written.
  begin
${readChange(shape, 'old', 'new')}
  exception when ${NOT_AS_MAPPED} then
    tenant := ${pg.escapeLiteral(shape.tenant)};
    made := ',';
    old_values := ${wholeRow('old')};
    new_values := ${wholeRow('new')};
    old_key := ${wideKey(shape, 'old')};
    new_key := ${wideKey(shape, 'new')};
    new_links := ${wideLinks(shape, 'new')};
    old_links := ${wideLinks(shape, 'old')};
  end;
${writeChange(shape)}
  return null;
end
`;
}

/**
 * One row, which most statements change, goes through variables: PostgreSQL begins a large statement anew each time, and an expression of
 * PL/pgSQL only when it comes to it. Many rows go through one INSERT. Both tables of a transition are written row by row together
 * (AfterTriggerSaveEvent), so that what stands at the same place in them is the same row, also where its key changed or it has none.
 * The full join rules out a nested loop, which a plan made for few rows would have.
 */
function statementUpdate(shape: CaptureShape): string {
  const columns = readColumns(shape);
  const place = (column: string): number => columns.findIndex((each) => each.name === column);
  const fields = columns.map((column, at) => `o.${name(column)} as o${at}, n.${name(column)} as n${at}`);
  const listed = columns.map((column) => `, t.${name(column)}`).join('');
  const both = (what: string): string =>
    `(select pg_catalog.row_number() over () as safekeep_place${what} from safekeep_old as t) as o
          full join (select pg_catalog.row_number() over () as safekeep_place${what} from safekeep_new as t) as n using (safekeep_place)`;
  const changed = (side: string): string =>
    `pg_catalog.concat(${shape.columns
      .map(
        (column) =>
          `case when ${isChanged(column, 'o', 'n')} then ${jsonKey(column)} || ${jsonText(column, side, { large: 'either' })} end`,
      )
      .join(', ')})`;
  const whole = { old: wholeRow('o.safekeep_row'), new: wholeRow('n.safekeep_row') };
  const many = `(select ${tenantOf(shape, 'n')} as tenant, ${keyOf(shape, 'o')} as old_key, ${keyOf(shape, 'n')} as new_key,
          ${linksOf(shape, 'o')} as old_links, ${linksOf(shape, 'n')} as new_links,
          ${shape.key.length === 0 ? pairs(shape.columns, 'o') : asObject(changed('o'))} as was, ${changed('n')} as made
        from ${both(listed)} offset 0) as c
      where c.made <> ''`;
  const wide = `(select ${pg.escapeLiteral(shape.tenant)} as tenant, ${wideKey(shape, 'o.safekeep_row')} as old_key, ${wideKey(shape, 'n.safekeep_row')} as new_key,
          ${wideLinks(shape, 'o.safekeep_row')} as old_links, ${wideLinks(shape, 'n.safekeep_row')} as new_links, ${whole.old} as was, ${whole.new} as made
        from ${both(', t as safekeep_row')}
       where o.safekeep_row operator(pg_catalog.*<>) n.safekeep_row offset 0) as c`;
  const row = {
    tenant: 'c.tenant',
    record: 'c.old_key',
    newRecord: 'case when c.new_key is distinct from c.old_key then c.new_key end',
    links: 'c.new_links',
    oldLinks: 'case when c.old_links is distinct from c.new_links then c.old_links end',
  };
  const kept = (values: string): string =>
    `case when keys_only then (select pg_catalog.jsonb_object_agg(k.key, null) from pg_catalog.jsonb_object_keys(${values}) as k (key)) else ${values} end`;
  return `
declare
${CHANGE_VARIABLES}
  one record;
  many boolean;
${SESSION_VARIABLES}
begin
  -- What fails here is our reading of the rows, never the application's change: then whole rows are written.
  begin
    select ${[...fields, 'exists (select from safekeep_old offset 1) as many'].join(', ')} into one
      from safekeep_old as o, safekeep_new as n limit 1;
    if not found then return null; end if;
    if one.many then
      many := true;
${readSession()}
${insertRow(shape, `'update'`, { ...row, old: kept('c.was'), new: kept(asObject('c.made')), session: 'variables' }, `from ${many}`)}
    else
${readChange(
  shape,
  (column) => `one.o${place(column)}`,
  (column) => `one.n${place(column)}`,
)}
    end if;
  exception when ${NOT_AS_MAPPED} then
    many := true;
${readSession()}
${insertRow(shape, `'update'`, { ...row, old: kept('c.was'), new: kept('c.made'), session: 'variables' }, `from ${wide}`)}
  end;
  if many then return null; end if;
${writeChange(shape)}
  return null;
end
`;
}

const CHANGE_VARIABLES = `  was text;
  made text;
  old_values jsonb;
  new_values jsonb;
  old_key text;
  new_key text;
  old_links text[];
  new_links text[];
  tenant text;
  keys_only boolean;`;

/** Of one row: what changed of it as the inside of a JSON object, and its keys and links. */
function readChange(shape: CaptureShape, old: Row, made: Row): string {
  const add = (column: CapturedColumn, large: 'either' | 'never'): string =>
    `was := pg_catalog.concat(was, ${jsonKey(column)}, ${jsonText(column, old, { large })});
      made := pg_catalog.concat(made, ${jsonKey(column)}, ${jsonText(column, made, { large })});`;
  const size = (column: CapturedColumn, row: Row): string => `pg_catalog.pg_column_size(${field(row, column)}) > ${LARGE_BYTES}`;
  const changes = shape.columns.map((column) => {
    const body = canBeLarge(column)
      ? `if ${size(column, old)} or ${size(column, made)} then
      ${add(column, 'either')}
      else
      ${add(column, 'never')}
      end if;`
      : add(column, 'never');
    return `    if ${isChanged(column, old, made)} then
      ${body}
    end if;`;
  });
  const named = [...shape.key.map((column) => column.name), ...shape.paths.flatMap(({ link }) => link)];
  const moving = readColumns(shape).filter((column) => named.includes(column.name));
  return `${changes.join('\n')}
    if made is not null then
      tenant := ${tenantOf(shape, made)};
      old_key := ${keyOf(shape, old)};
      new_links := ${linksOf(shape, made)};
      if ${moving.map((column) => isChanged(column, old, made)).join(' or ') || 'false'} then
        new_key := ${keyOf(shape, made)};
        old_links := ${linksOf(shape, old)};
      else
        new_key := old_key;
        old_links := new_links;
      end if;
      ${shape.key.length === 0 ? `old_values := ${pairs(shape.columns, old)};` : ''}
    end if;`;
}

function writeChange(shape: CaptureShape): string {
  return `  if made is null then return null; end if;
  if ${IS_ERASING} then
    keys_only := true;
    old_values := (select pg_catalog.jsonb_object_agg(k.key, null) from pg_catalog.jsonb_object_keys(coalesce(old_values, ${asObject('was')})) as k (key));
    new_values := (select pg_catalog.jsonb_object_agg(k.key, null) from pg_catalog.jsonb_object_keys(coalesce(new_values, ${asObject('made')})) as k (key));
  end if;
${insertRow(shape, `'update'`, {
  tenant: 'tenant',
  record: 'old_key',
  newRecord: 'case when new_key is distinct from old_key then new_key end',
  links: 'new_links',
  oldLinks: 'case when old_links is distinct from new_links then old_links end',
  old: `coalesce(old_values, ${asObject('was')})`,
  new: `coalesce(new_values, ${asObject('made')})`,
  keysOnly: 'keys_only',
})}`;
}

/** From `,"a":"b"`. */
function asObject(inside: string): string {
  return `('{' || pg_catalog.substr(${inside}, 2) || '}')::pg_catalog.jsonb`;
}

function rowInsert(shape: CaptureShape): string {
  return rowBody(shape, 'new', {
    action: `'insert'`,
    values: shape.key.length === 0 ? { old: 'null', new: 'made' } : { old: 'null', new: 'null' },
  });
}

function rowDelete(shape: CaptureShape): string {
  return rowBody(shape, 'old', { action: `'delete'`, values: { old: 'made', new: 'null' } });
}

type Body = { readonly action: string; readonly values: { readonly old: string; readonly new: string } };

function rowBody(shape: CaptureShape, row: 'old' | 'new', { action, values }: Body): string {
  return `
declare
  made jsonb;
  row_key text;
  row_links text[];
  tenant text;
  keys_only boolean;
begin
  begin
    tenant := ${tenantOf(shape, row)};
    row_key := ${keyOf(shape, row)};
    row_links := ${linksOf(shape, row)};
    ${values.old === 'null' && values.new === 'null' ? '' : `made := ${pairs(shape.columns, row)};`}
  exception when undefined_column or datatype_mismatch then
    tenant := ${pg.escapeLiteral(shape.tenant)};
    made := ${wholeRow(row)};
    row_key := ${wideKey(shape, row)};
    row_links := ${wideLinks(shape, row)};
  end;
${eraseValues(['made'])}
${insertRow(shape, action, { tenant: 'tenant', record: 'row_key', newRecord: 'null', links: 'row_links', oldLinks: 'null', ...values, keysOnly: 'keys_only' })}
  return null;
end
`;
}

function statementInsert(shape: CaptureShape): string {
  const has = shape.key.length === 0;
  return statementBody(shape, { table: 'safekeep_new', action: `'insert'`, side: 'new', has });
}

function statementDelete(shape: CaptureShape): string {
  return statementBody(shape, { table: 'safekeep_old', action: `'delete'`, side: 'old', has: true });
}

/** `has`: whether the values are written down, too. */
type StatementBody = { readonly table: string; readonly action: string; readonly side: 'old' | 'new'; readonly has: boolean };

/** One row and many, as {@link statementUpdate} has it. */
function statementBody(shape: CaptureShape, { table, action, side, has }: StatementBody): string {
  const columns = readColumns(shape);
  const one: Row = (column) => `one.c${columns.findIndex((each) => each.name === column)}`;
  const fields = columns.map((column, at) => `r.${name(column)} as c${at}`);
  const large = shape.columns
    .filter(canBeLarge)
    .map((column) => `pg_catalog.pg_column_size(${field(one, column)}) > ${LARGE_BYTES}`);
  const from = `from ${table} as r`;
  const values = (written: string): Pick<Written, 'old' | 'new'> =>
    side === 'old' ? { old: written, new: 'null' } : { old: 'null', new: written };
  const row = { newRecord: 'null', oldLinks: 'null' };
  return `
declare
  one record;
  many boolean;
  wide boolean;
  tenant text;
  row_key text;
  row_links text[];
  made jsonb;
  keys_only boolean;
${SESSION_VARIABLES}
begin
  -- Whether the table is still as it was mapped: what fails here is our reading of it, never the application's change.
  begin
    select ${[...fields, `exists (select from ${table} offset 1) as many`].join(', ')} into one ${from} limit 1;
    if not found then return null; end if;
    many := one.many;
    if not many then
      tenant := ${tenantOf(shape, one)};
      row_key := ${keyOf(shape, one)};
      row_links := ${linksOf(shape, one)};
      ${has ? `if ${large.join(' or ') || 'false'} then made := ${pairs(shape.columns, one)}; else made := ${pairs(shape.columns, one, 'small')}; end if;` : ''}
    end if;
  exception when ${NOT_AS_MAPPED} then
    wide := true;
  end;
  if not many and wide is null then
${eraseValues(['made'])}
${insertRow(shape, action, { ...row, tenant: 'tenant', record: 'row_key', links: 'row_links', ...values('made'), keysOnly: 'keys_only' })}
    return null;
  end if;
${readSession()}
  if wide then
${insertRow(shape, action, { ...row, tenant: pg.escapeLiteral(shape.tenant), record: wideKey(shape, 'r'), links: wideLinks(shape, 'r'), ...values(unlessErasing(wholeRow('r'))), session: 'variables' }, from)}
  else
${insertRow(shape, action, { ...row, tenant: tenantOf(shape, 'r'), record: keyOf(shape, 'r'), links: linksOf(shape, 'r'), ...values(has ? unlessErasing(pairs(shape.columns, 'r')) : 'null'), session: 'variables' }, from)}
  end if;
  return null;
end
`;
}

/** Before the INSERT, whose plan would else have a part for it that is begun anew for every row. */
function eraseValues(names: readonly string[]): string {
  return `  if ${IS_ERASING} then
    keys_only := true;
${names.map((name) => `    ${name} := (select pg_catalog.jsonb_object_agg(k.key, null) from pg_catalog.jsonb_object_keys(${name}) as k (key));`).join('\n')}
  end if;`;
}

// Never null: NULL AND f() calls the function for every row.
const IS_ERASING = `(coalesce(pg_catalog.current_setting('safekeep.keys_only', true), '') = 'on' and safekeep.is_keys_only())`;

/** In an erasure the names of the columns, and nothing of what stood in them. */
function unlessErasing(values: string): string {
  return `case when keys_only then (select pg_catalog.jsonb_object_agg(k.key, null) from pg_catalog.jsonb_object_keys(${values}) as k (key)) else ${values} end`;
}

type Written = Record<'tenant' | 'record' | 'newRecord' | 'links' | 'oldLinks' | 'old' | 'new', string> & {
  readonly keysOnly?: string;
  /** For many rows what is the same for all of them is read once. */
  readonly session?: 'variables';
};

// Whose login it was is asked where nobody was named, and the rest of a proof where there is one.
const SESSION_VARIABLES = `  change_xid xid8;
  actor text;
  purpose text;
  request text;
  proof text;
  backend integer;
  began timestamptz;
  login name;
  application text;`;

function readSession(): string {
  return `      keys_only := nullif(${IS_ERASING}, false);
      change_xid := pg_catalog.pg_current_xact_id();
      actor := nullif(pg_catalog.current_setting('safekeep.actor', true), '');
      purpose := nullif(pg_catalog.current_setting('safekeep.purpose', true), '');
      request := nullif(pg_catalog.current_setting('safekeep.request', true), '');
      proof := nullif(pg_catalog.current_setting('safekeep.proof', true), '');
      if proof is not null then
        backend := pg_catalog.pg_backend_pid();
        began := pg_catalog.now();
      end if;
      if actor is null then
        login := session_user;
        application := pg_catalog.current_setting('application_name');
      end if;`;
}

function insertRow(shape: CaptureShape, action: string, row: Written, from = ''): string {
  const [xid, session] =
    row.session === 'variables'
      ? ['change_xid', 'keys_only, actor, purpose, request, proof, backend, began, login, application']
      : [
          'pg_catalog.pg_current_xact_id()',
          `${row.keysOnly ?? `nullif(${IS_ERASING}, false)`},
      nullif(pg_catalog.current_setting('safekeep.actor', true), ''), nullif(pg_catalog.current_setting('safekeep.purpose', true), ''),
      nullif(pg_catalog.current_setting('safekeep.request', true), ''), nullif(pg_catalog.current_setting('safekeep.proof', true), ''),
      pg_catalog.pg_backend_pid(), pg_catalog.now(), session_user, pg_catalog.current_setting('application_name')`,
        ];
  const values = (table: string): string => `    insert into safekeep.${table} ${INBOX_COLUMNS}
    select ${row.tenant}, ${xid}, pg_catalog.nextval('safekeep.audit_order'), pg_catalog.clock_timestamp(), 'change', ${action},
      ${pg.escapeLiteral(shape.table)}, ${row.record}, ${row.newRecord}, ${row.links}, ${row.oldLinks}, ${row.old}, ${row.new},
      ${session}
      ${from};`;
  return `  if pg_catalog.mod((pg_catalog.date_part('epoch', pg_catalog.now()) / 600)::bigint, 2) = 0 then
${values('audit_inbox_even')}
  else
${values('audit_inbox_odd')}
  end if;`;
}

// ---- expressions -----------------------------------------------------------------------------------------------------

function name({ name: column }: Pick<CapturedColumn, 'name'>): string {
  return pg.escapeIdentifier(column);
}

/** What a row is called in a statement, or how its columns are. */
type Row = string | ((column: string) => string);

function field(row: Row, { name: column }: Pick<CapturedColumn, 'name'>): string {
  return typeof row === 'string' ? `${row}.${pg.escapeIdentifier(column)}` : row(column);
}

/** All that is read of a row, each once. */
function readColumns({ key, columns, paths, tenantColumn }: CaptureShape): readonly Pick<CapturedColumn, 'name' | 'type'>[] {
  const known = new Map<string, Pick<CapturedColumn, 'name' | 'type'>>([...key, ...columns].map((column) => [column.name, column]));
  for (const each of [...paths.flatMap(({ link }) => link), ...(tenantColumn === null ? [] : [tenantColumn])])
    if (!known.has(each)) known.set(each, { name: each, type: 'unknown' });
  return [...known.values()];
}

/** Types whose `=` says no to the slightest difference of two values: the others may call 1.0 and 1.00 equal, or have no `=`. */
const EXACT =
  /^(?:smallint|integer|bigint|oid|boolean|uuid|date|bytea|"char"|(?:timestamp|time)(?:\(\d\))? with(?:out)? time zone|text|character varying(?:\(\d+\))?)$/;
const EXACT_TEXT = /^(?:text|character varying)/;

/** Whether the column is not to the byte what it was, NULL included. */
function isChanged(column: Pick<CapturedColumn, 'name' | 'type'>, old: Row, made: Row): string {
  const [before, after] = [field(old, column), field(made, column)];
  if (!EXACT.test(column.type)) return `pg_catalog.record_image_ne(row(${after}), row(${before}))`;
  // A collation may call two texts equal that differ.
  return `${EXACT_TEXT.test(column.type) ? `${before} collate pg_catalog."C"` : before} is distinct from ${after}`;
}

function canBeLarge({ form }: CapturedColumn): boolean {
  return form === 'large' || form === 'hex';
}

/** `,"column":`, as a literal. */
function jsonKey({ name: column }: Pick<CapturedColumn, 'name'>): string {
  return pg.escapeLiteral(`,${JSON.stringify(column)}:`);
}

/** A value as the text of JSON; `never` where it was seen that it is not large. */
function jsonText(column: CapturedColumn, row: Row, { large }: { readonly large: 'either' | 'never' }): string {
  const text = textOf(column, row);
  const short = `coalesce(pg_catalog.to_json(${jsonValue(column, row)})::pg_catalog.text, 'null')`;
  return large === 'either' && canBeLarge(column)
    ? `case when pg_catalog.pg_column_size(${field(row, column)}) > ${LARGE_BYTES} then ${hashOf(text)}::pg_catalog.text else ${short} end`
    : short;
}

/** What JSON makes the value's text of: dates and times are written by it, everything else by its own type. */
function jsonValue(column: CapturedColumn, row: Row): string {
  const value = field(row, column);
  if (column.form === 'iso') return value;
  return column.form === 'utc' ? `pg_catalog.timezone('UTC', ${value})` : textOf(column, row);
}

function hashOf(text: string): string {
  return `pg_catalog.jsonb_build_object('sha256', pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(${text}, 'UTF8')), 'hex'), 'bytes', pg_catalog.octet_length(${text}))`;
}

/** A value of row `r`, as jsonb text or null. Not by way of the type's own JSON: json may hold what jsonb cannot. */
function textOf(column: CapturedColumn, row: Row): string {
  const value = field(row, column);
  const texts: Readonly<Record<ColumnForm, string>> = {
    iso: `(pg_catalog.to_jsonb(${value}) operator(pg_catalog.#>>) '{}')`,
    utc: `(pg_catalog.to_jsonb(pg_catalog.timezone('UTC', ${value})) operator(pg_catalog.#>>) '{}')`,
    hex: `('\\x' || pg_catalog.encode(${value}, 'hex'))`,
    text: `${value}::pg_catalog.text`,
    large: `${value}::pg_catalog.text`,
  };
  return texts[column.form];
}

/** The same as jsonb: a text, null, or hash and size of what is too large. */
export function jsonOf(column: CapturedColumn, row: Row): string {
  const text = textOf(column, row);
  if (!canBeLarge(column)) return `pg_catalog.to_jsonb(${text})`;
  return `case when pg_catalog.pg_column_size(${field(row, column)}) > ${LARGE_BYTES} then ${hashOf(text)} else pg_catalog.to_jsonb(${text}) end`;
}

/** `small` where it was seen that no value is large: a text needs no conversion of its own then. */
export function pairs(columns: readonly CapturedColumn[], row: Row, size: 'any' | 'small' = 'any'): string {
  const chunks = Array.from({ length: Math.ceil(columns.length / PAIRS_AT_MOST) }, (_, at) =>
    columns.slice(at * PAIRS_AT_MOST, (at + 1) * PAIRS_AT_MOST),
  );
  const objects = chunks.map(
    (chunk) =>
      `pg_catalog.jsonb_build_object(${chunk.map((column) => `${pg.escapeLiteral(column.name)}, ${size === 'any' ? jsonOf(column, row) : jsonValue(column, row)}`).join(', ')})`,
  );
  return objects.length === 0 ? `'{}'::pg_catalog.jsonb` : `(${objects.join(' operator(pg_catalog.||) ')})`;
}

/** A key as holds and subjects write it: parts joined by commas. */
export function keyText(columns: readonly CapturedColumn[], row: Row): string {
  if (columns.length === 0) return 'null';
  return columns
    .map((column) => (PLAIN_KEY.test(column.type) ? textOf(column, row) : `safekeep.key_part(${textOf(column, row)})`))
    .join(` || ',' || `);
}

/** Has neither comma nor backslash. */
const PLAIN_KEY = /^(?:smallint|integer|bigint|uuid)$/;

function keyOf(shape: CaptureShape, row: Row): string {
  return keyText(shape.key, row);
}

function linksOf(shape: CaptureShape, row: Row): string {
  if (shape.paths.length === 0) return 'null::pg_catalog.text[]';
  return `array[${shape.paths.map(({ link }) => keyText(columnsOf(shape, link), row)).join(', ')}]`;
}

function columnsOf(shape: CaptureShape, names: readonly string[]): readonly CapturedColumn[] {
  return names.map(
    (column) =>
      [...shape.columns, ...shape.key].find((each) => each.name === column) ?? {
        name: column,
        type: 'text',
        form: 'text',
        personal: true,
        path: null,
      },
  );
}

function tenantOf(shape: CaptureShape, row: Row): string {
  const own = pg.escapeLiteral(shape.tenant);
  return shape.tenantColumn === null ? own : `coalesce(${field(row, { name: shape.tenantColumn })}::pg_catalog.text, ${own})`;
}

/** Of a table that is not as it was mapped any more: every column by the name that it has now. */
function wholeRow(row: string): string {
  return `(select coalesce(pg_catalog.jsonb_object_agg(c.key, c.value operator(pg_catalog.#>>) '{}'), '{}') from pg_catalog.jsonb_each(pg_catalog.to_jsonb(${row})) as c)`;
}

function wideKey(shape: CaptureShape, row: string): string {
  return wideParts(
    shape.key.map((column) => column.name),
    row,
  );
}

function wideLinks(shape: CaptureShape, row: string): string {
  if (shape.paths.length === 0) return 'null::pg_catalog.text[]';
  return `array[${shape.paths.map(({ link }) => wideParts(link, row)).join(', ')}]`;
}

function wideParts(names: readonly string[], row: string): string {
  if (names.length === 0) return 'null';
  return names
    .map((column) => `safekeep.key_part(pg_catalog.to_jsonb(${row}) operator(pg_catalog.->>) ${pg.escapeLiteral(column)})`)
    .join(` || ',' || `);
}

/** Settings that the text of a value depends on, where a column's type asks for them: each costs about a microsecond a call. */
function settingsFor(columns: readonly CapturedColumn[]): string {
  const plain =
    /^(smallint|integer|bigint|boolean|uuid|date|numeric|text|character|character varying|timestamp|jsonb|bytea|name|"char"|oid)\b/;
  const arbitrary = columns.some(({ type, form }) => form !== 'utc' && form !== 'iso' && (!plain.test(type) || type.endsWith(']')));
  if (!arbitrary) return '';
  return `
  set timezone = 'UTC'
  set datestyle = 'ISO, YMD'
  set intervalstyle = 'iso_8601'
  set bytea_output = 'hex'
  set extra_float_digits = 1`;
}
