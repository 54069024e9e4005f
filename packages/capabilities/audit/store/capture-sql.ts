import { createHash } from 'node:crypto';
import { tableRef } from '@safekeep/core';
import { quoteTable, quoteText } from '@safekeep/postgres';
import type { Capture, CapturedColumn } from '../model.ts';
import { rowDelete, rowInsert, rowUpdate, statementDelete, statementInsert, statementUpdate } from './capture/bodies.ts';
import type { CaptureShape } from './capture/row-values.ts';

// What makes a table's changes known: functions, triggers, and the record of them. Names are quoted by the library; nothing of a row
// becomes text of a statement.

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
    // Without JIT: of rows before and after a statement PostgreSQL expects far too many pairs, and would compile for longer than it works.
    const statement = `create or replace function safekeep.${name}() returns trigger
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
  set jit = off${settingsFor(shape.columns)}
  as ${bodyLiteral(body)}`;
    return { name, statement, sha256: createHash('sha256').update(body).digest('hex') };
  };
  const insert = make('insert', shape.partitioned ? rowInsert(shape) : statementInsert(shape));
  const update = make('update', shape.paired ? statementUpdate(shape) : rowUpdate(shape));
  const remove = make('delete', shape.partitioned ? rowDelete(shape) : statementDelete(shape));
  return { functions: [insert, update, remove], triggers: triggersOf(shape, { insert, update, remove }) };
}

const BODY = '$safekeep$';

/** In dollars: escaping goes character by character, and costs seconds for the functions of a thousand tables. */
function bodyLiteral(body: string): string {
  // A column may be named anything.
  return body.includes(BODY) ? quoteText(body) : `${BODY}${body}${BODY}`;
}

type Made = Readonly<Record<'insert' | 'update' | 'remove', CaptureFunction>>;

function triggersOf(shape: CaptureShape, { insert, update, remove }: Made): readonly CaptureTrigger[] {
  const on = quoteTable(tableRef(shape));
  const call = ({ name }: CaptureFunction) => `execute function safekeep.${name}()`;
  const [tenant, table] = [quoteText(shape.tenant), quoteText(shape.table)];
  const trigger = (name: string, rest: string): CaptureTrigger => ({ name, statement: `create trigger ${name} ${rest}` });
  return [
    shape.partitioned
      ? trigger('safekeep_audit_insert', `after insert on ${on} for each row ${call(insert)}`)
      : trigger(
          'safekeep_audit_insert',
          `after insert on ${on} referencing new table as safekeep_new for each statement ${call(insert)}`,
        ),
    shape.paired
      ? trigger(
          'safekeep_audit_update',
          `after update on ${on} referencing old table as safekeep_old new table as safekeep_new for each statement ${call(update)}`,
        )
      : trigger(
          'safekeep_audit_update',
          `after update on ${on} for each row when (old.* operator(pg_catalog.*<>) new.*) ${call(update)}`,
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
    // A partition that is written to by its own name knows the triggers for rows alone, which it has from its parent.
    ...(shape.actor === 'require' && shape.partitioned
      ? [
          trigger(
            'safekeep_audit_actor_row',
            `after insert or update or delete on ${on} for each row execute function safekeep.require_actor(${tenant})`,
          ),
        ]
      : []),
  ];
}

/** Functions change hands, and are closed to those who would hang them on tables of their own and so write into the log. */
export function ownStatement(functions: readonly CaptureFunction[]): string {
  const names = functions.map(({ name }) => quoteText(name)).join(', ');
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
  const [tenant, table] = [quoteText(shape.tenant), quoteText(shape.table)];
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
  const values = [capture.tenant, capture.table, JSON.stringify(capture)].map((text) => quoteText(text)).join(', ');
  return `insert into safekeep.audit_captures (tenant_id, table_name, definition) values (${values})
on conflict (tenant_id, table_name) do update set definition = excluded.definition`;
}

export function deleteDefinition({ tenant, table }: CaptureShape): string {
  return `delete from safekeep.audit_captures where tenant_id = ${quoteText(tenant)} and table_name = ${quoteText(table)}`;
}

/**
 * What stands of a capture: each trigger and whether it fires, each function's body and rights, and the definition. Functions and
 * triggers are gone through once for all captures: once for each took minutes in a database of 1,000 tables.
 */
export const PROBE_CAPTURE = `
  with asked as materialized (
    select keys.place::integer as place, keys.parts
      from pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) with ordinality as keys (parts, place)
  ), named as (
    select distinct asked.place, each.name::pg_catalog.name as name
      from asked cross join lateral pg_catalog.jsonb_array_elements_text(asked.parts) with ordinality as each (name, at)
     where each.at > 2
  ), ours as materialized (
    select named.place, p.oid
      from named
      join pg_catalog.pg_proc as p on p.proname = named.name
      join pg_catalog.pg_namespace as n on n.oid = p.pronamespace and n.nspname = 'safekeep'
  ), made as (
    select ours.place,
           pg_catalog.string_agg(p.proname || ' ' || pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(p.prosrc, 'UTF8')), 'hex')
             || ' ' || p.prosecdef || ' ' || coalesce(p.proconfig::text, ''), E'\\n' order by p.proname) as functions
      from ours join pg_catalog.pg_proc as p on p.oid = ours.oid
     group by ours.place
  ), relations as (
    -- By the functions that they call and not by the table's name: the table may bear another by now.
    select distinct ours.place, a.tgrelid from ours join pg_catalog.pg_trigger as a on a.tgfoid = ours.oid and a.tgparentid = 0
  ), found as (
    select relations.place, pg_catalog.string_agg(pg_catalog.pg_get_triggerdef(t.oid), E'\\n' order by t.tgname) as triggers,
           pg_catalog.bool_or(t.tgenabled not in ('O', 'A')) as disabled
      from relations join pg_catalog.pg_trigger as t on t.tgrelid = relations.tgrelid
     where t.tgname like 'safekeep\\_audit\\_%' and t.tgparentid = 0
     group by relations.place
  )
  select asked.place,
         coalesce(found.triggers, '') || E'\\n' || made.functions || E'\\n'
           || coalesce(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(kept.definition::text, 'UTF8')), 'hex'), '') as state,
         coalesce(found.disabled, false) as disabled
    from asked
    join made on made.place = asked.place
    left join found on found.place = asked.place
    left join safekeep.audit_captures as kept
      on kept.tenant_id = asked.parts operator(pg_catalog.->>) 0 and kept.table_name = asked.parts operator(pg_catalog.->>) 1`;

/** Settings that the text of a value depends on, where a column's type asks for them: each costs about a microsecond a call. */
function settingsFor(columns: readonly CapturedColumn[]): string {
  const plain = /^(smallint|integer|bigint|boolean|uuid|numeric|text|character|character varying|jsonb|name|"char"|oid)\b/;
  const arbitrary = columns.some(
    ({ type, form }) => form !== 'utc' && form !== 'iso' && form !== 'hex' && (!plain.test(type) || type.endsWith(']')),
  );
  if (!arbitrary) return '';
  return `
  set timezone = 'UTC'
  set datestyle = 'ISO, YMD'
  set intervalstyle = 'iso_8601'
  set bytea_output = 'hex'
  set extra_float_digits = 1`;
}
