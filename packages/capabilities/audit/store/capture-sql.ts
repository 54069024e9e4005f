import { createHash } from 'node:crypto';
import pg from 'pg';
import { REMAIN, type Capture, type CapturedColumn, type ColumnForm } from '../model.ts';

// The statements that make a table's changes known. Names are quoted by the library; nothing of a row becomes text of a statement.

/** Longer values, as stored, are hashed: a jsonb string ends at 256 MB, and compression of 255:1 with two digits a byte fits below it. */
const LARGE_BYTES = 500_000;
/** A function takes 100 arguments, and a column needs two. */
const PAIRS_AT_MOST = 45;

/** First among the names of the columns of a batch whose rows are written whole. No column has an empty name. */
export const WHOLE_ROWS = '';
/** First and second among the names of one that is a single text, see rules/change-texts.ts: its parts by place come third, by commas. */
export const ONE_TEXT = ['', ''] as const;

const INBOX_COLUMNS = `(tenant_id, xid, order_no, at, kind, action, table_name, record, new_record, links, old_links, old, new, keys_only,
      actor, purpose, request, proof, backend, began, login, application)`;

export type CaptureShape = Omit<Capture, 'triggers' | 'functions'> & {
  /** Rows that move between partitions and are written into them by name are seen by row triggers alone; and of parent and child each tells its own. */
  readonly partitioned: boolean;
  /** A key that names one row at the end of each statement: by it the rows before and after a statement are paired. */
  readonly paired: boolean;
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
  return body.includes(BODY) ? pg.escapeLiteral(body) : `${BODY}${body}${BODY}`;
}

type Made = Readonly<Record<'insert' | 'update' | 'remove', CaptureFunction>>;

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

/** What whoever writes may have set: whether there is an erasure indeed, is_keys_only says. */
const IS_HINTED = `(pg_catalog.current_setting('safekeep.keys_only', true) = 'on')`;

/** The parity of the 10-minute slot in which the transaction began. */
const IS_EVEN = `pg_catalog.mod((pg_catalog.date_part('epoch', pg_catalog.now()) / 600)::bigint, 2) = 0`;

// ---- bodies ----------------------------------------------------------------------------------------------------------

function rowUpdate(shape: CaptureShape): string {
  const keyless = shape.key.length === 0;
  const changes = shape.columns.map(
    (column) => `    if ${changedImage(column, 'old', 'new')} then
      ${unlessSealing(column, `was := was operator(pg_catalog.||) ${pair(column, 'old')};`)}
      made := made operator(pg_catalog.||) ${pair(column, 'new')};
    end if;`,
  );
  return `
declare
  was jsonb := '{}';
  made jsonb := '{}';
  old_key text;
  new_key text;
  old_links text[];
  new_links text[];
  tenant text;
  keys_only boolean;
begin
  -- What fails here is our reading of the row, never the application's change: then the whole row is written.
  begin
    if not (${asMapped(shape, 'new')}) then raise datatype_mismatch; end if;
    tenant := ${tenantOf(shape, 'new')};
    old_key := ${keyOf(shape, 'old')};
    new_key := ${keyOf(shape, 'new')};
    old_links := ${linksOf(shape, 'old')};
    new_links := ${linksOf(shape, 'new')};
${changes.join('\n')}
${keyless ? `    if made operator(pg_catalog.<>) '{}' then was := ${pairs(shape.columns, 'old')}; end if;${withoutPlaintext(shape)}` : ''}
  exception when undefined_column or undefined_object or datatype_mismatch then
    tenant := ${pg.escapeLiteral(shape.tenant)};
    was := null;
    made := null;
    if ${ALL_BUILT_IN} then
      was := ${wholeRow('old')};
      made := ${wholeRow('new')};
      old_key := ${wideKey(shape, 'old')};
      new_key := ${wideKey(shape, 'new')};
      old_links := ${wideLinks(shape, 'old')};
      new_links := ${wideLinks(shape, 'new')};
    end if;
  end;
  if made operator(pg_catalog.=) '{}' then return null; end if;
${eraseValues(['was', 'made'])}
${insertRow(shape, `'update'`, {
  tenant: 'tenant',
  record: 'old_key',
  newRecord: 'case when new_key is distinct from old_key then new_key end',
  links: 'new_links',
  oldLinks: 'case when old_links is distinct from new_links then old_links end',
  old: 'was',
  new: 'made',
  keysOnly: 'keys_only',
})}
  return null;
end
`;
}

/** A row that is sealed by this change is known by what else stands in it. */
function withoutPlaintext({ columns }: CaptureShape): string {
  return columns
    .flatMap((column) =>
      column.sealedIn === undefined
        ? []
        : `\n    if pg_catalog.num_nulls(new.${pg.escapeIdentifier(column.sealedIn)}) = 0 then was := was operator(pg_catalog.||) pg_catalog.jsonb_build_object(${pg.escapeLiteral(column.name)}, null); end if;`,
    )
    .join('');
}

function unlessSealing({ carries }: CapturedColumn, statement: string): string {
  return carries === undefined ? statement : `if not ${isSealing(carries, 'old', 'new')} then ${statement} end if;`;
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
    if not (${asMapped(shape, row)}) then raise datatype_mismatch; end if;
    tenant := ${tenantOf(shape, row)};
    row_key := ${keyOf(shape, row)};
    row_links := ${linksOf(shape, row)};
    ${values.old === 'null' && values.new === 'null' ? '' : `made := ${pairs(shape.columns, row)};`}
  exception when undefined_column or undefined_object or datatype_mismatch then
    tenant := ${pg.escapeLiteral(shape.tenant)};
    if ${ALL_BUILT_IN} then
      made := ${wholeRow(row)};
      row_key := ${wideKey(shape, row)};
      row_links := ${wideLinks(shape, row)};
    end if;
  end;
${eraseValues(['made'])}
${insertRow(shape, action, { tenant: 'tenant', record: 'row_key', newRecord: 'null', links: 'row_links', oldLinks: 'null', ...values, keysOnly: 'keys_only' })}
  return null;
end
`;
}

function statementInsert(shape: CaptureShape): string {
  const keyless = shape.key.length === 0;
  return statementBody(shape, {
    action: 'insert',
    row: keyless ? null : [keyOf(shape, 'r'), ...linkList(shape, 'r')],
    ...(keyless ? {} : { texts: { parts: partsOf(shape, { key: 'r', link: 'r' }), changes: [] } }),
    alone: keyless
      ? null
      : { event: [keyOf(shape, 'r'), ...linkList(shape, 'r')], isWhole: false, when: [], read: readForKey(shape) },
    values: { old: 'null', new: keyless ? unlessErasing(pairs(shape.columns, 'r')) : 'null' },
    wide: { old: 'null', new: unlessErasing(wholeRow('r')) },
  });
}

function statementDelete(shape: CaptureShape): string {
  const known = [keyOf(shape, 'r'), ...linkList(shape, 'r')];
  return statementBody(shape, {
    action: 'delete',
    row: [...known, ...shape.columns.map((column) => entryOf(column, 'r', 'erasing'))],
    alone: { event: [...known, wholeText(shape, 'r')], isWhole: true, when: smallOnly(shape, ['r']), read: readAtAll(shape) },
    values: { old: unlessErasing(pairs(shape.columns, 'r')), new: 'null' },
    wide: { old: unlessErasing(wholeRow('r')), new: 'null' },
  });
}

type StatementBody = {
  readonly action: 'insert' | 'delete';
  /** Of one change in a batch; null where each change is a row of the inbox of its own. */
  readonly row: readonly string[] | null;
  /** Of many changes, where nothing is left out of them. */
  readonly texts?: Texts;
  readonly alone: Alone | null;
  readonly values: Body['values'];
  readonly wide: Body['values'];
};

function statementBody(shape: CaptureShape, { action, row, texts, alone, values, wide }: StatementBody): string {
  const rows = action === 'insert' ? 'safekeep_new' : 'safekeep_old';
  const from = `from ${rows} as r`;
  const written = (key: string, links: string, { old, new: made }: Body['values'], tenant: string): string =>
    insertRow(shape, `'${action}'`, { tenant, record: key, newRecord: 'null', links, oldLinks: 'null', old, new: made }, from);
  const mapped =
    row === null
      ? written(keyOf(shape, 'r'), linksOf(shape, 'r'), values, tenantOf(shape, 'r'))
      : insertBatches(shape, { action, row, tenant: tenantOf(shape, 'r'), from, sizes: ['r'] });
  const many =
    texts === undefined
      ? mapped
      : `  if not erasing then
${insertTexts(shape, { action, ...texts, tenant: tenantOf(shape, 'r'), from })}
  else
${mapped}
  end if;`;
  return `
declare
${VARIABLES}
begin
${alone === null ? '' : insertAlone(shape, { action, ...alone, row: 'r', from })}
${SET_ERASING}
${unlessAsMapped(shape, rows)}
  if wide then
    if ${ALL_BUILT_IN} then
${written(wideKey(shape, 'r'), wideLinks(shape, 'r'), wide, pg.escapeLiteral(shape.tenant))}
    else
${insertRow(shape, `'${action}'`, unread(shape), from)}
    end if;
  else
${many}
  end if;
  return null;
end
`;
}

const VARIABLES = `  wide boolean := false;
  erasing boolean := false;
  tenant text;
  even boolean;
  alone text[];`;

/** By itself, and not as a part of other conditions: an expression with a call in it is made ready for each statement, whether the call is made or not. */
const SET_ERASING = `  if ${IS_HINTED} then erasing := safekeep.is_keys_only(); end if;`;

/** A change that is the only one of its statement. */
type Alone = {
  readonly event: readonly string[];
  /** Whether the event holds rows as PostgreSQL prints them. */
  readonly isWhole: boolean;
  /** Where it may be written so, beside that the table is as it was mapped. */
  readonly when: readonly string[];
  /** Whether it is, as far as it is read here. */
  readonly read: string;
};

type InsertAlone = Alone & { readonly action: 'insert' | 'update' | 'delete'; readonly row: string; readonly from: string };

/**
 * Most statements change one row. It is read by one statement and written by another that reads nothing: PostgreSQL makes each node of a
 * statement, each call in it and each expression ready anew for every transaction, which takes far longer than what it then does. So there are
 * as few of them as can be. The rows go whole, as PostgreSQL prints them, and the sequencer looks what changed, if anything.
 *
 * CASE holds what is read back until the types are known to be those that were mapped (PostgreSQL manual, 4.2.14): of another type, a cast or an
 * operator may be what its owner wrote. Whatever fails here fails in the careful way below too, which then knows what to do about it.
 */
function insertAlone(shape: CaptureShape, { action, event, isWhole, when, read, row, from }: InsertAlone): string {
  const made = `array[${eventOf(event)}]`;
  const value = `case when ${IS_HINTED} is not true and ${read} then ${when.length === 0 ? made : `case when ${when.join(' and ')} then ${made} end`} end`;
  const isOwn = shape.tenantColumn !== null;
  const tenant = isOwn ? 'tenant' : pg.escapeLiteral(shape.tenant);
  return `  begin
    select ${value}, ${IS_EVEN}${isOwn ? `, ${tenantOf(shape, row)}` : ''} into strict alone, even${isOwn ? ', tenant' : ''} ${from};
  exception
    when no_data_found then return null;
    when others then alone := null;
  end;
  if alone is not null then
${insertMany(shape, { action, names: [...(isWhole ? [WHOLE_ROWS] : []), ...namesFor(shape, action)], tenant, many: 'alone', events: '1', from: '', keysOnly: 'null', isEven: 'even' })}
    return null;
  end if;`;
}

/**
 * Whether the table is still as it was mapped: what fails here is our reading of it, never the application's change. Also before what follows
 * is even understood: of a column that has another type by now, a cast or an operator may run what its owner wrote, with our rights. The
 * statement that is at work holds a lock, so that no type changes until it ends.
 */
function unlessAsMapped(shape: CaptureShape, table: 'safekeep_old' | 'safekeep_new'): string {
  return `  begin
    select not (${asMapped(shape, 'r')}) into wide from ${table} as r limit 1;
    wide := coalesce(wide, false);
  exception when undefined_column or undefined_object then
    wide := true;
  end;`;
}

function asMapped(shape: CaptureShape, row: string, isRead: (column: string) => boolean = () => true): string {
  const known = new Map([...shape.key, ...shape.columns].map((column) => [column.name, column]));
  const others = [...shape.paths.flatMap(({ link }) => link), ...(shape.tenantColumn === null ? [] : [shape.tenantColumn])];
  const read = [...new Set([...known.keys(), ...others])].filter(isRead);
  const isKnown = (column: string): boolean => known.get(column)?.builtIn === true;
  const value = (column: string): string => `${row}.${pg.escapeIdentifier(column)}`;
  const typed = read.filter(isKnown);
  // One comparison: each call costs what it takes to make it ready, for every statement.
  const types = typed.map((column) => `pg_catalog.pg_typeof(${value(column)})`).join(', ');
  const wanted = typed.map((column) => `${pg.escapeLiteral(known.get(column)?.type ?? '')}::pg_catalog.regtype`).join(', ');
  const checks = [
    ...(typed.length === 0 ? [] : [`array[${types}] = array[${wanted}]`]),
    ...read.filter((column) => !isKnown(column)).map((column) => `pg_catalog.num_nulls(${value(column)}) >= 0`),
  ];
  return checks.join(' and ') || 'true';
}

function readAtAll(shape: CaptureShape, row = 'r'): string {
  return asMapped(shape, row);
}

/** What an INSERT is read by: the row's key, and what leads to people. */
function readForKey(shape: CaptureShape): string {
  const names = new Set([...shape.key.map((column) => column.name), ...shape.paths.flatMap(({ link }) => link)]);
  return asMapped(shape, 'r', (column) => names.has(column));
}

/** Whether whole rows may be turned into JSON, which asks for a cast of each value's type. */
const ALL_BUILT_IN = `not exists (select from pg_catalog.pg_attribute as a join pg_catalog.pg_type as t on t.oid = a.atttypid
      where a.attrelid = tg_relid and a.attnum > 0 and not a.attisdropped and t.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace)`;

/** That something was changed, where neither key nor values can be read. */
function unread(shape: CaptureShape): Written {
  const none = { record: 'null', newRecord: 'null', oldLinks: 'null', old: 'null', new: 'null' };
  return { ...none, tenant: pg.escapeLiteral(shape.tenant), links: 'null::pg_catalog.text[]' };
}

/**
 * Rows before and after are paired by their key. A key that one row left and no other took is paired with the one that came, where that
 * is a single one; where one statement changes the keys of several rows, which became which cannot be told, and the log has it as the
 * end of some keys and the beginning of others.
 */
function statementUpdate(shape: CaptureShape): string {
  const key = sameKey(shape);
  const changed = shape.columns.map((column) => isChanged(column, 'o', 'n'));
  const any = `(${changed.join(' or ') || 'false'})`;
  const known = [keyOf(shape, 'o'), ...linkList(shape, 'n'), ...oldLinkList(shape)];
  const alone = {
    action: 'update' as const,
    event: [...known, wholeText(shape, 'o'), wholeText(shape, 'n')],
    isWhole: true,
    when: [key, ...unsealed(shape), ...smallOnly(shape, ['o', 'n'])],
    read: readAtAll(shape, 'n'),
    row: 'n',
    from: 'from safekeep_old as o, safekeep_new as n',
  };
  const join = `from safekeep_old as o join safekeep_new as n on ${key}`;
  const tenant = tenantOf(shape, 'n');
  const row = [
    ...known,
    ...['o', 'n'].flatMap((side) =>
      changed.map((when, at) => `case when ${when} then ${saidOf(shape, { side, at, mode: 'erasing' })} end`),
    ),
  ];
  const batch = insertBatches(shape, { action: 'update', tenant, row, from: `${join} where ${any}`, sizes: ['o', 'n'] });
  const texts = { parts: partsOf(shape, { key: 'o', link: 'n' }), changes: changesOf(shape, changed) };
  return `
declare
${VARIABLES}
  moved bigint := 0;
begin
${insertAlone(shape, alone)}
${SET_ERASING}
${unlessAsMapped(shape, 'safekeep_new')}
  if wide then
    if ${ALL_BUILT_IN} then
${wideUpdate(shape)}
    else
${insertRow(shape, `'update'`, unread(shape), 'from safekeep_new')}
    end if;
    return null;
  end if;
  if not erasing then
${insertTexts(shape, { action: 'update', ...texts, tenant, from: join })}
  else
${batch}
  end if;
  ${movedCount(key)}
  if moved > 0 then
${movedRows(shape, { key, changed })}
  end if;
  return null;
end
`;
}

type Side = { readonly side: string; readonly at: number; readonly mode: Erasing };

/** Of a column that changed, what is said of one side of the change. */
function saidOf({ columns }: CaptureShape, { side, at, mode }: Side): string {
  const column = columns[at];
  if (column === undefined) throw new RangeError(`There is no column ${at}`);
  // Changed beside ciphertext it is null before and after, and the log must have it all the same.
  const entry = column.sealedIn === undefined ? entryOf(column, side, mode) : `coalesce(${entryOf(column, side, mode)}, '-')`;
  if (side === 'n' || column.carries === undefined) return entry;
  return `case when ${isSealing(column.carries, 'o', 'n')} then ${pg.escapeLiteral(NOT_SAID)} else ${entry} end`;
}

/** Places of the list that a change is: the key, the links, those of before, then each column before and each after. Of rows that are paired by it the key is the same. */
function changesOf(shape: CaptureShape, changed: readonly string[]): readonly ChangeText[] {
  const key = new Set(shape.key.map((column) => column.name));
  const links = shape.paths.length;
  const first = 1 + 2 * links;
  return [
    ...oldLinks(shape).flatMap((link, path) =>
      link === null ? [] : [{ when: link.when, said: [[1 + links + path, link.text] as const] }],
    ),
    ...shape.columns.flatMap((column, at) => {
      if (key.has(column.name) && column.sealedIn === undefined) return [];
      const said = ['o', 'n'].map(
        (side, half) => [first + half * changed.length + at, saidOf(shape, { side, at, mode: 'never' })] as const,
      );
      return [{ when: changed[at] ?? 'false', said }];
    }),
  ];
}

function sameKey(shape: CaptureShape): string {
  const equal = shape.key.map((column) =>
    column.builtIn
      ? `o.${name(column)}${bytewise(column)} = n.${name(column)}${bytewise(column)}`
      : `${textOf(column, 'o')} = ${textOf(column, 'n')}`,
  );
  return `(${equal.join(' and ')})`;
}

function movedCount(key: string): string {
  return `moved := (select pg_catalog.count(*) from safekeep_old as o where not exists (select from safekeep_new as n where ${key}));`;
}

type Moved = { readonly key: string; readonly changed: readonly string[] };

function movedRows(shape: CaptureShape, { key, changed }: Moved): string {
  const left = `(select o.* from safekeep_old as o where not exists (select from safekeep_new as n where ${key}))`;
  const came = `(select n.* from safekeep_new as n where not exists (select from safekeep_old as o where ${key}))`;
  const values = (row: string): string =>
    `(${shape.columns.map((column, place) => `case when ${changed[place] ?? 'false'} then ${pair(column, row)} else '{}' end`).join(' operator(pg_catalog.||) ') || `'{}'::pg_catalog.jsonb`})`;
  const one = {
    tenant: tenantOf(shape, 'n'),
    record: keyOf(shape, 'o'),
    newRecord: keyOf(shape, 'n'),
    links: linksOf(shape, 'n'),
    oldLinks: linksOf(shape, 'o'),
    old: unlessErasing(values('o')),
    new: unlessErasing(values('n')),
  };
  const gone = [keyOf(shape, 'r'), ...linkList(shape, 'r'), ...shape.columns.map((column) => entryOf(column, 'r', 'erasing'))];
  const batch = { tenant: tenantOf(shape, 'r'), sizes: ['r'] } as const;
  return `    if moved = 1 then
${insertRow(shape, `'update'`, one, `from ${left} as o, ${came} as n`)}
    else
${insertBatches(shape, { ...batch, action: 'delete', row: gone, from: `from ${left} as r` })}
${insertBatches(shape, { ...batch, action: 'insert', row: [keyOf(shape, 'r'), ...linkList(shape, 'r')], from: `from ${came} as r` })}
    end if;`;
}

/** Of a table that is not as it was mapped: whole rows, paired by the primary key that it has now. */
function wideUpdate(shape: CaptureShape): string {
  const [old, made] = ['old', 'new'].map(
    (
      side,
    ) => `(select t as whole, (select pg_catalog.jsonb_agg(pg_catalog.to_jsonb(t) operator(pg_catalog.->) a.attname order by a.attnum)
          from pg_catalog.pg_index as i join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
         where i.indrelid = tg_relid and i.indisprimary) as key from safekeep_${side} as t)`,
  );
  const whole = (side: string): string => `case when ${side}.key is not null then ${unlessErasing(wholeRow(`${side}.whole`))} end`;
  const either = (part: (row: string) => string): string => `coalesce(${part('n.whole')}, ${part('o.whole')})`;
  const row = {
    tenant: pg.escapeLiteral(shape.tenant),
    record: either((side) => wideKey(shape, side)),
    newRecord: 'null',
    links: either((side) => wideLinks(shape, side)),
    oldLinks: 'null',
    old: whole('o'),
    new: whole('n'),
  };
  return insertRow(
    shape,
    `'update'`,
    row,
    `from ${old} as o full join ${made} as n on o.key = n.key
      where o.key is null or n.key is null or o.whole operator(pg_catalog.*<>) n.whole`,
  );
}

type ChangeText = {
  readonly when: string;
  /** Each with its place. */
  readonly said: readonly (readonly [number, string])[];
};

/** Changes as rules/change-texts.ts reads them. */
type Texts = { readonly parts: readonly string[]; readonly changes: readonly ChangeText[] };

type InsertTexts = Texts & Readonly<Record<'action' | 'tenant' | 'from', string>>;

/** All changes of a batch in one text, of each only what it changed: a list for each of them is made for longer than the application's own rows. */
function insertTexts(shape: CaptureShape, { action, parts, changes, tenant, from }: InsertTexts): string {
  // A row of which everything is its key stays as it is, or is another.
  if (action === 'update' && changes.length === 0) return '    null;';
  const distinct = [...new Set(parts)];
  const known = distinct.join(` || ',' || `);
  const rows =
    changes.length === 0
      ? `select ${tenant} as tenant, ${known} as event, pg_catalog.row_number() over () / ${TOGETHER} as chunk ${from}`
      : // OFFSET: else what changed would be looked at again for each time that it is named.
        `select x.tenant, x.known || x.changed as event, case when pg_catalog.octet_length(x.changed) > ${TOGETHER_BYTES}
              then - pg_catalog.row_number() over () else pg_catalog.row_number() over () / ${TOGETHER} end as chunk
          from (select ${tenant} as tenant, ${known} as known, ${concatenated(changes.map(changeText))} as changed ${from} offset 0) as x where x.changed <> ''`;
  const places = parts.map((part) => distinct.indexOf(part)).join(',');
  return insertMany(shape, {
    action,
    names: [...ONE_TEXT, places, ...namesFor(shape, action)],
    tenant: 's.tenant',
    many: 's.many',
    events: 's.events',
    from: `from (select e.tenant, array[pg_catalog.string_agg(e.event, ';')] as many, pg_catalog.count(*)::integer as events
        from (${rows}) as e group by e.tenant, e.chunk) as s`,
  });
}

function changeText({ when, said }: ChangeText): string {
  return `case when ${when} then ${said.map(([place, text]) => `':${place}' || pg_catalog.quote_nullable(${text})`).join(' || ')} end`;
}

/** A function takes 100 arguments. */
function concatenated(texts: readonly string[]): string {
  const together = 2 * PAIRS_AT_MOST;
  const calls = Array.from(
    { length: Math.ceil(texts.length / together) },
    (_, at) => `pg_catalog.concat(${texts.slice(at * together, (at + 1) * together).join(', ')})`,
  );
  return calls.join(' || ');
}

/** The key and each link; of numbers and UUIDs nothing needs quotes. */
function partsOf(shape: CaptureShape, { key, link }: { readonly key: string; readonly link: string }): readonly string[] {
  const names = new Set(shape.key.map((column) => column.name));
  const part = (columns: readonly CapturedColumn[], row: string): string => {
    if (columns.length === 0) return `'NULL'`;
    const isBare = columns.length === 1 && columns.every(({ type }) => UNESCAPED.test(type));
    return isBare ? `coalesce(${keyText(columns, row)}, 'NULL')` : `pg_catalog.quote_nullable(${keyText(columns, row)})`;
  };
  // Of rows that are paired by their key it is the same on both sides.
  return [
    part(shape.key, key),
    ...shape.paths.map((path) => part(columnsOf(shape, path.link), path.link.every((name) => names.has(name)) ? key : link)),
  ];
}

/** In a batch: of this side of a change nothing is said of the column. */
export const NOT_SAID = '~';

type Batches = {
  readonly action: 'insert' | 'update' | 'delete';
  readonly row: readonly string[];
  readonly tenant: string;
  readonly from: string;
  /** Rows that are read: what could be large in them decides how many come together. */
  readonly sizes: readonly string[];
};

/** Changes that come together in one row of the inbox, and how large a stored value may be to come with others. */
const TOGETHER = 256;
const TOGETHER_BYTES = 2000;
/** How large what is written of a change that comes alone may be, both rows together. */
const ALONE_BYTES = 8000;

/** Many changes in one row of the inbox: a row for each would be written for longer than the application's own. */
function insertBatches(shape: CaptureShape, { action, row, tenant, from, sizes }: Batches): string {
  const large = sizes.flatMap((side) =>
    shape.columns.filter(canBeLarge).map((column) => `pg_catalog.pg_column_size(${side}.${name(column)})`),
  );
  const chunk =
    large.length > 0 && action !== 'insert'
      ? `pg_catalog.sum(case when greatest(${large.join(', ')}) > ${TOGETHER_BYTES} then ${TOGETHER} else 1 end) over (rows unbounded preceding) / ${TOGETHER}`
      : `pg_catalog.row_number() over () / ${TOGETHER}`;
  const many = `from (select e.tenant, pg_catalog.array_agg(e.event) as many, pg_catalog.count(*)::integer as events
        from (select ${tenant} as tenant, ${eventOf(row)} as event, ${chunk} as chunk ${from}) as e group by e.tenant, e.chunk) as s`;
  return insertMany(shape, {
    action,
    names: namesFor(shape, action),
    tenant: 's.tenant',
    many: 's.many',
    events: 's.events',
    from: many,
  });
}

function eventOf(row: readonly string[]): string {
  return `array[${row.map((each) => `(${each})`).join(', ')}]::pg_catalog.text[]`;
}

/** An INSERT is read without them, and they are written for every change. */
function namesFor({ columns }: CaptureShape, action: string): readonly string[] {
  return action === 'insert' ? [] : columns.map(({ name: column }) => column);
}

type Many = Readonly<Record<'action' | 'tenant' | 'many' | 'events' | 'from', string>> & {
  readonly names: readonly string[];
  readonly keysOnly?: string;
  readonly isEven?: string;
};

function insertMany(
  shape: CaptureShape,
  { action, names, tenant, many, events, from, keysOnly = 'nullif(erasing, false)', isEven }: Many,
): string {
  const list = `array[${names.map((each) => pg.escapeLiteral(each)).join(', ')}]::pg_catalog.text[]`;
  return bothInboxes(
    (
      table,
    ) => `    insert into safekeep.${table} (tenant_id, xid, order_no, at, kind, action, table_name, names, many, events, keys_only,
      actor, purpose, request, proof, backend, began, login, application)
    ${from === '' ? 'values (' : 'select '}${tenant}, pg_catalog.pg_current_xact_id(), pg_catalog.nextval('safekeep.audit_order'), pg_catalog.clock_timestamp(), 'change', '${action}',
      ${pg.escapeLiteral(shape.table)}, ${list}, ${many}, ${events}, ${keysOnly}, ${SESSION}${from === '' ? ')' : `\n      ${from}`};`,
    isEven,
  );
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
  return `case when ${IS_ERASING} then (select pg_catalog.jsonb_object_agg(k.key, null) from pg_catalog.jsonb_object_keys(${values}) as k (key)) else ${values} end`;
}

type Written = Record<'tenant' | 'record' | 'newRecord' | 'links' | 'oldLinks' | 'old' | 'new', string> & {
  readonly keysOnly?: string;
};

function insertRow(shape: CaptureShape, action: string, row: Written, from = ''): string {
  return bothInboxes(
    (table) => `    insert into safekeep.${table} ${INBOX_COLUMNS}
    select ${row.tenant}, pg_catalog.pg_current_xact_id(), pg_catalog.nextval('safekeep.audit_order'), pg_catalog.clock_timestamp(), 'change', ${action},
      ${pg.escapeLiteral(shape.table)}, ${row.record}, ${row.newRecord}, ${row.links}, ${row.oldLinks}, ${row.old}, ${row.new},
      ${row.keysOnly ?? `nullif(${IS_ERASING}, false)`},
      ${SESSION}
      ${from};`,
  );
}

/** Empty where nothing was said: the sequencer reads it as null, which is one node less for each. */
const SESSION = `pg_catalog.current_setting('safekeep.actor', true), pg_catalog.current_setting('safekeep.purpose', true),
      pg_catalog.current_setting('safekeep.request', true), pg_catalog.current_setting('safekeep.proof', true),
      pg_catalog.pg_backend_pid(), pg_catalog.now(), session_user, pg_catalog.current_setting('application_name')`;

function bothInboxes(statement: (table: string) => string, isEven = IS_EVEN): string {
  return `  if ${isEven} then
${statement('audit_inbox_even')}
  else
${statement('audit_inbox_odd')}
  end if;`;
}

// ---- expressions -----------------------------------------------------------------------------------------------------

function name({ name: column }: Pick<CapturedColumn, 'name'>): string {
  return pg.escapeIdentifier(column);
}

/** What stands in a column, as far as it counts: plaintext beside its ciphertext says nothing, and leaves the row by no way of ours. */
function valueOf({ name: column, sealedIn }: Pick<CapturedColumn, 'name' | 'sealedIn'>, row: string): string {
  const value = `${row}.${pg.escapeIdentifier(column)}`;
  return sealedIn === undefined
    ? value
    : `(case when pg_catalog.num_nulls(${row}.${pg.escapeIdentifier(sealedIn)}) = 1 then ${value} end)`;
}

/** Ciphertext comes to a value that stays as it is: what it stood as before would tell the plaintext, and what it was inserted as is that. */
function isSealing({ plain, encrypted }: NonNullable<CapturedColumn['carries']>, old: string, made: string): string {
  const [before, after] = [old, made].map((row) => `pg_catalog.num_nulls(${row}.${pg.escapeIdentifier(encrypted)})`);
  const value = (row: string): string => `${row}.${pg.escapeIdentifier(plain)}`;
  return `(${before} = 1 and ${after} = 0 and pg_catalog.num_nulls(${value(old)}) = 0 and not pg_catalog.record_image_ne(row(${value(old)}), row(${value(made)})))`;
}

/** Rows whose values are sealed, given back or taken away by this change are written column by column. */
function unsealed({ columns }: CaptureShape): readonly string[] {
  return columns.flatMap(({ name: column, sealedIn }) => {
    if (sealedIn === undefined) return [];
    const [plain, sealed] = [column, sealedIn].map((each) => pg.escapeIdentifier(each));
    return [
      `pg_catalog.num_nulls(o.${sealed}) = pg_catalog.num_nulls(n.${sealed})`,
      `not pg_catalog.record_image_ne(row(o.${plain}), row(n.${plain}))`,
    ];
  });
}

/** A value of row `r`, as jsonb text or null. Not by way of the type's own JSON: json may hold what jsonb cannot. */
function textOf(column: CapturedColumn, row: string): string {
  const { form, builtIn } = column;
  const value = valueOf(column, row);
  if (!builtIn) return printed(value);
  const texts: Readonly<Record<ColumnForm, string>> = {
    iso: `(pg_catalog.to_jsonb(${value}) operator(pg_catalog.#>>) '{}')`,
    utc: `(pg_catalog.to_jsonb(pg_catalog.timezone('UTC', ${value})) operator(pg_catalog.#>>) '{}')`,
    hex: `('\\x' || pg_catalog.encode(${value}, 'hex'))`,
    text: `${value}::pg_catalog.text`,
    large: `${value}::pg_catalog.text`,
  };
  return texts[form];
}

/**
 * By the output function of its type, which a superuser alone can define. A cast to text may be a function of whoever owns the type, and would
 * run with the rights of whoever reads the value here.
 */
export function printed(value: string): string {
  return `(case when pg_catalog.num_nulls(${value}) = 0 then pg_catalog.format('%s', ${value}) end)`;
}

/** The same as jsonb: a text, null, or hash and size of what is too large. */
export function jsonOf(column: CapturedColumn, row: string): string {
  const text = textOf(column, row);
  if (column.form !== 'large' && column.form !== 'hex') return `pg_catalog.to_jsonb(${text})`;
  const value = valueOf(column, row);
  return `case when pg_catalog.pg_column_size(${value}) > ${LARGE_BYTES} then ${hashOf(column, row)} else pg_catalog.to_jsonb(${text}) end`;
}

function hashOf(column: CapturedColumn, row: string): string {
  const text = textOf(column, row);
  return `pg_catalog.jsonb_build_object('sha256', pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(${text}, 'UTF8')), 'hex'), 'bytes', pg_catalog.octet_length(${text}))`;
}

function pair(column: CapturedColumn, row: string): string {
  return `pg_catalog.jsonb_build_object(${pg.escapeLiteral(column.name)}, ${jsonOf(column, row)})`;
}

export function pairs(columns: readonly CapturedColumn[], row: string): string {
  const chunks = Array.from({ length: Math.ceil(columns.length / PAIRS_AT_MOST) }, (_, at) =>
    columns.slice(at * PAIRS_AT_MOST, (at + 1) * PAIRS_AT_MOST),
  );
  const objects = chunks.map(
    (chunk) =>
      `pg_catalog.jsonb_build_object(${chunk.map((column) => `${pg.escapeLiteral(column.name)}, ${jsonOf(column, row)}`).join(', ')})`,
  );
  return objects.length === 0 ? `'{}'::pg_catalog.jsonb` : `(${objects.join(' operator(pg_catalog.||) ')})`;
}

/** Whether the texts of a key are the same when, and only when, `=` says so. */
export function isExact({ type }: CapturedColumn): boolean {
  return EXACT.test(type) || TEXTS.test(type);
}

/** Equal in a collation of one's own may be what is not the same. */
function bytewise({ type }: CapturedColumn): string {
  return TEXTS.test(type) ? ' collate pg_catalog."C"' : '';
}

function canBeLarge({ form }: CapturedColumn): boolean {
  return form === 'large' || form === 'hex';
}

/** Types of which two values are equal when, and only when, they are the same bytes. */
const EXACT =
  /^(smallint|integer|bigint|boolean|uuid|date|timestamp without time zone|timestamp with time zone|timestamp|bytea|name|oid|"char")$/;
const TEXTS = /^(text|character varying(\(\d+\))?)$/;

/** Whether the bytes of a column differ, whatever operators its type has: json has none, and to numeric 1.0 is 1.00. */
function isChanged(column: CapturedColumn, old: string, made: string): string {
  if (column.sealedIn !== undefined) return changedImage(column, old, made);
  const [before, after] = [`${old}.${name(column)}`, `${made}.${name(column)}`];
  if (column.builtIn && isExact(column)) return `${before}${bytewise(column)} is distinct from ${after}${bytewise(column)}`;
  return `pg_catalog.record_image_ne(row(${before}), row(${after}))`;
}

/** Also where the ciphertext beside a plaintext goes: from then on that counts again, and the log must have it. */
function changedImage({ name: column, sealedIn }: CapturedColumn, old: string, made: string): string {
  const value = (row: string): string => `row(${row}.${pg.escapeIdentifier(column)})`;
  const changed = `pg_catalog.record_image_ne(${value(made)}, ${value(old)})`;
  if (sealedIn === undefined) return changed;
  const sealed = pg.escapeIdentifier(sealedIn);
  return `(${changed} or (pg_catalog.num_nulls(${old}.${sealed}) = 0 and pg_catalog.num_nulls(${made}.${sealed}) = 1))`;
}

type Erasing = 'erasing' | 'never';

/** A value in a batch: `=` and its text, `#` and hash and size as JSON, `-` one that was left out; null for null. See also NOT_SAID. */
function entryOf(column: CapturedColumn, row: string, mode: Erasing): string {
  const text = `'=' || ${textOf(column, row)}`;
  const value = valueOf(column, row);
  const whole = canBeLarge(column)
    ? `case when pg_catalog.pg_column_size(${value}) > ${LARGE_BYTES} then '#' || ${hashOf(column, row)}::pg_catalog.text else ${text} end`
    : text;
  return mode === 'erasing' ? `case when erasing then '-' else ${whole} end` : whole;
}

/** Of which the text of a row has what a cast to text gives. */
const PRINTED = /^(smallint|integer|bigint|numeric(\(\d+,-?\d+\))?|text|character varying(\(\d+\))?|uuid|jsonb?)$/;

/** All captured columns of a row in the text of a composite value (PostgreSQL manual, 8.16.6). */
function wholeText(shape: CaptureShape, row: string): string {
  const values = shape.columns.map((column) => (PRINTED.test(column.type) ? valueOf(column, row) : textOf(column, row)));
  return `row(${values.join(', ')})::pg_catalog.text`;
}

/** What did not change is written too, so all of it must be short. */
function smallOnly(shape: CaptureShape, rows: readonly string[]): readonly string[] {
  const large = rows.flatMap((row) => shape.columns.filter(canBeLarge).map((column) => `${row}.${name(column)}`));
  return large.length === 0 ? [] : [`pg_catalog.pg_column_size(row(${large.join(', ')})) <= ${ALONE_BYTES}`];
}

/** A key as holds and subjects write it: parts joined by commas. */
export function keyText(columns: readonly CapturedColumn[], row: string): string {
  if (columns.length === 0) return 'null';
  return columns.map((column) => partOf(column, row)).join(` || ',' || `);
}

/** Of numbers and UUIDs nothing needs to be escaped. */
const UNESCAPED = /^(smallint|integer|bigint|uuid)$/;

function partOf(column: CapturedColumn, row: string): string {
  return UNESCAPED.test(column.type) ? textOf(column, row) : `safekeep.key_part(${textOf(column, row)})`;
}

function keyOf(shape: CaptureShape, row: string): string {
  return keyText(shape.key, row);
}

function linksOf(shape: CaptureShape, row: string): string {
  if (shape.paths.length === 0) return 'null::pg_catalog.text[]';
  return `array[${shape.paths.map(({ link }) => keyText(columnsOf(shape, link), row)).join(', ')}]`;
}

function linkList(shape: CaptureShape, row: string): readonly string[] {
  return shape.paths.map(({ link }) => keyText(columnsOf(shape, link), row));
}

/** Null where it stayed, else `=` and the key, or `-` for none. The key itself stays, else it is not this trigger's. */
function oldLinkList(shape: CaptureShape): readonly string[] {
  return oldLinks(shape).map((link) => (link === null ? 'null' : `case when ${link.when} then ${link.text} end`));
}

function oldLinks(shape: CaptureShape): readonly (null | { readonly when: string; readonly text: string })[] {
  const key = new Set(shape.key.map((column) => column.name));
  return shape.paths.map(({ link }) => {
    const moving = columnsOf(shape, link).filter((column) => !key.has(column.name));
    if (moving.length === 0) return null;
    const when = moving.map((column) => isChanged(column, 'o', 'n')).join(' or ');
    return { when, text: `coalesce('=' || ${keyText(columnsOf(shape, link), 'o')}, '-')` };
  });
}

function columnsOf(shape: CaptureShape, names: readonly string[]): readonly CapturedColumn[] {
  return names.map(
    (column) =>
      [...shape.columns, ...shape.key].find((each) => each.name === column) ?? {
        name: column,
        type: 'text',
        builtIn: false,
        form: 'text',
        personal: true,
        identifies: true,
        path: null,
      },
  );
}

function tenantOf(shape: CaptureShape, row: string): string {
  const own = pg.escapeLiteral(shape.tenant);
  return shape.tenantColumn === null ? own : `coalesce(${printed(`${row}.${pg.escapeIdentifier(shape.tenantColumn)}`)}, ${own})`;
}

type KeyColumn = Pick<CapturedColumn, 'name' | 'type' | 'builtIn' | 'enumerated'>;

/**
 * Rows `r` of a table by the texts k0, k1, … of `k`. Compared as the column's type, so that its index is used: where that is PostgreSQL's own by a cast
 * of the text, where it is enumerated by that of its values which is printed so. The value comes from the column itself and by no name of the type,
 * which its owner may give to another, and is compared by PostgreSQL's operator: nothing that somebody else wrote is run.
 */
export function joinByKey(
  { schema, name: table, alone }: Pick<Capture, 'schema' | 'name' | 'alone'>,
  columns: readonly KeyColumn[],
): string {
  const relation = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}`;
  const values = columns.flatMap((column, place) =>
    column.enumerated === true
      ? [
          `join pg_catalog.unnest(pg_catalog.enum_range((null::${relation}).${name(column)})) as e${place} (value) on pg_catalog.format('%s', e${place}.value) = k.k${place}`,
        ]
      : [],
  );
  const equal = columns.map((column, place) => {
    if (column.builtIn) return `r.${name(column)} = k.k${place}::${column.type}`;
    if (column.enumerated === true) return `r.${name(column)} operator(pg_catalog.=) e${place}.value`;
    return `${printed(`r.${name(column)}`)} = k.k${place}`;
  });
  return `${values.join(' ')} join ${alone === true ? 'only ' : ''}${relation} as r on ${equal.join(' and ')}`;
}

/** An event of how each of these rows stands, into the inbox. $1 the event's own part, then an array of texts for each column of the key. */
export function remainStatement(capture: Capture): string {
  const shape = { ...capture, partitioned: false, paired: false };
  const keys = capture.key.map((_, place) => `k${place}`);
  return `insert into safekeep.audit_inbox_even ${INBOX_COLUMNS.replace(')', ', own)')}
    select ${tenantOf(shape, 'r')}, pg_catalog.pg_current_xact_id(), pg_catalog.nextval('safekeep.audit_order'), pg_catalog.clock_timestamp(), 'change', '${REMAIN}',
      ${pg.escapeLiteral(capture.table)}, ${keyOf(shape, 'r')}, null, ${linksOf(shape, 'r')}, null, null, ${pairs(capture.columns, 'r')}, null,
      ${SESSION}, $1::pg_catalog.jsonb
      from rows from (${keys.map((_, place) => `pg_catalog.unnest($${place + 2}::pg_catalog.text[])`).join(', ')}) as k (${keys.join(', ')})
      ${joinByKey(capture, capture.key)}`;
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
