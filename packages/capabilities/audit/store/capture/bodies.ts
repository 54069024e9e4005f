import { quoteName, quoteText } from '@safekeep/postgres';
import type { CapturedColumn } from '../../model.ts';
import {
  eraseValues,
  eventOf,
  insertBatches,
  insertMany,
  insertRow,
  insertTexts,
  IS_EVEN,
  IS_HINTED,
  namesFor,
  NOT_SAID,
  partsOf,
  smallOnly,
  unlessErasing,
  WHOLE_ROWS,
  type ChangeText,
  type Texts,
  type Written,
} from './inbox-rows.ts';
import {
  bytewise,
  changedImage,
  entryOf,
  isChanged,
  isSealing,
  keyOf,
  linkList,
  linksOf,
  name,
  oldLinkList,
  oldLinks,
  pair,
  pairs,
  tenantOf,
  textOf,
  unsealed,
  wholeRow,
  wholeText,
  wideKey,
  wideLinks,
  type CaptureShape,
  type Erasing,
} from './row-values.ts';

// The bodies of the functions that triggers call: what a statement changed is read, as cheaply as its shape allows, and put into the inbox.

export function rowUpdate(shape: CaptureShape): string {
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
    tenant := ${quoteText(shape.tenant)};
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
        : `\n    if pg_catalog.num_nulls(new.${quoteName(column.sealedIn)}) = 0 then was := was operator(pg_catalog.||) pg_catalog.jsonb_build_object(${quoteText(column.name)}, null); end if;`,
    )
    .join('');
}

function unlessSealing({ carries }: CapturedColumn, statement: string): string {
  return carries === undefined ? statement : `if not ${isSealing(carries, 'old', 'new')} then ${statement} end if;`;
}

export function rowInsert(shape: CaptureShape): string {
  return rowBody(shape, 'new', {
    action: `'insert'`,
    values: shape.key.length === 0 ? { old: 'null', new: 'made' } : { old: 'null', new: 'null' },
  });
}

export function rowDelete(shape: CaptureShape): string {
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
    tenant := ${quoteText(shape.tenant)};
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

export function statementInsert(shape: CaptureShape): string {
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

export function statementDelete(shape: CaptureShape): string {
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
${written(wideKey(shape, 'r'), wideLinks(shape, 'r'), wide, quoteText(shape.tenant))}
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
  const tenant = isOwn ? 'tenant' : quoteText(shape.tenant);
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
  const value = (column: string): string => `${row}.${quoteName(column)}`;
  const typed = read.filter(isKnown);
  // One comparison: each call costs what it takes to make it ready, for every statement.
  const types = typed.map((column) => `pg_catalog.pg_typeof(${value(column)})`).join(', ');
  const wanted = typed.map((column) => `${quoteText(known.get(column)?.type ?? '')}::pg_catalog.regtype`).join(', ');
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
  return { ...none, tenant: quoteText(shape.tenant), links: 'null::pg_catalog.text[]' };
}

/**
 * Rows before and after are paired by their key. A key that one row left and no other took is paired with the one that came, where that
 * is a single one; where one statement changes the keys of several rows, which became which cannot be told, and the log has it as the
 * end of some keys and the beginning of others.
 */
export function statementUpdate(shape: CaptureShape): string {
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
  return `case when ${isSealing(column.carries, 'o', 'n')} then ${quoteText(NOT_SAID)} else ${entry} end`;
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
    tenant: quoteText(shape.tenant),
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
