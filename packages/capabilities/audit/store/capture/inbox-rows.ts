import { quoteText } from '@safekeep/postgres';
import { REMAIN, type Capture, type CapturedColumn } from '../../model.ts';
import {
  canBeLarge,
  columnsOf,
  joinByKey,
  keyOf,
  keyText,
  linksOf,
  name,
  pairs,
  PAIRS_AT_MOST,
  tenantOf,
  UNESCAPED,
  type CaptureShape,
} from './row-values.ts';

// How changes stand in the inbox: one by itself, or many of a statement in one row.

/** First among the names of the columns of a batch whose rows are written whole. No column has an empty name. */
export const WHOLE_ROWS = '';

/** First and second among the names of one that is a single text, see rules/change-texts.ts: its parts by place come third, by commas. */
export const ONE_TEXT = ['', ''] as const;

/** In a batch: of this side of a change nothing is said of the column. */
export const NOT_SAID = '~';

const INBOX_COLUMNS = `(tenant_id, xid, order_no, at, kind, action, table_name, record, new_record, links, old_links, old, new, keys_only,
      actor, purpose, request, proof, backend, began, login, application)`;

/** What whoever writes may have set: whether there is an erasure indeed, is_keys_only says. */
export const IS_HINTED = `(pg_catalog.current_setting('safekeep.keys_only', true) = 'on')`;

/** The parity of the 10-minute slot in which the transaction began. */
export const IS_EVEN = `pg_catalog.mod((pg_catalog.date_part('epoch', pg_catalog.now()) / 600)::bigint, 2) = 0`;

export type ChangeText = {
  readonly when: string;
  /** Each with its place. */
  readonly said: readonly (readonly [number, string])[];
};

/** Changes as rules/change-texts.ts reads them. */
export type Texts = { readonly parts: readonly string[]; readonly changes: readonly ChangeText[] };

type InsertTexts = Texts & Readonly<Record<'action' | 'tenant' | 'from', string>>;

/** All changes of a batch in one text, of each only what it changed: a list for each of them is made for longer than the application's own rows. */
export function insertTexts(shape: CaptureShape, { action, parts, changes, tenant, from }: InsertTexts): string {
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
export function partsOf(shape: CaptureShape, { key, link }: { readonly key: string; readonly link: string }): readonly string[] {
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

/** What did not change is written too, so all of it must be short. */
export function smallOnly(shape: CaptureShape, rows: readonly string[]): readonly string[] {
  const large = rows.flatMap((row) => shape.columns.filter(canBeLarge).map((column) => `${row}.${name(column)}`));
  return large.length === 0 ? [] : [`pg_catalog.pg_column_size(row(${large.join(', ')})) <= ${ALONE_BYTES}`];
}

/** Many changes in one row of the inbox: a row for each would be written for longer than the application's own. */
export function insertBatches(shape: CaptureShape, { action, row, tenant, from, sizes }: Batches): string {
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

export function eventOf(row: readonly string[]): string {
  return `array[${row.map((each) => `(${each})`).join(', ')}]::pg_catalog.text[]`;
}

/** An INSERT is read without them, and they are written for every change. */
export function namesFor({ columns }: CaptureShape, action: string): readonly string[] {
  return action === 'insert' ? [] : columns.map(({ name: column }) => column);
}

type Many = Readonly<Record<'action' | 'tenant' | 'many' | 'events' | 'from', string>> & {
  readonly names: readonly string[];
  readonly keysOnly?: string;
  readonly isEven?: string;
};

export function insertMany(
  shape: CaptureShape,
  { action, names, tenant, many, events, from, keysOnly = 'nullif(erasing, false)', isEven }: Many,
): string {
  const list = `array[${names.map((each) => quoteText(each)).join(', ')}]::pg_catalog.text[]`;
  return bothInboxes(
    (
      table,
    ) => `    insert into safekeep.${table} (tenant_id, xid, order_no, at, kind, action, table_name, names, many, events, keys_only,
      actor, purpose, request, proof, backend, began, login, application)
    ${from === '' ? 'values (' : 'select '}${tenant}, pg_catalog.pg_current_xact_id(), pg_catalog.nextval('safekeep.audit_order'), pg_catalog.clock_timestamp(), 'change', '${action}',
      ${quoteText(shape.table)}, ${list}, ${many}, ${events}, ${keysOnly}, ${SESSION}${from === '' ? ')' : `\n      ${from}`};`,
    isEven,
  );
}

/** Before the INSERT, whose plan would else have a part for it that is begun anew for every row. */
export function eraseValues(names: readonly string[]): string {
  return `  if ${IS_ERASING} then
    keys_only := true;
${names.map((name) => `    ${name} := (select pg_catalog.jsonb_object_agg(k.key, null) from pg_catalog.jsonb_object_keys(${name}) as k (key));`).join('\n')}
  end if;`;
}

// Never null: NULL AND f() calls the function for every row.
const IS_ERASING = `(coalesce(pg_catalog.current_setting('safekeep.keys_only', true), '') = 'on' and safekeep.is_keys_only())`;

/** In an erasure the names of the columns, and nothing of what stood in them. */
export function unlessErasing(values: string): string {
  return `case when ${IS_ERASING} then (select pg_catalog.jsonb_object_agg(k.key, null) from pg_catalog.jsonb_object_keys(${values}) as k (key)) else ${values} end`;
}

export type Written = Record<'tenant' | 'record' | 'newRecord' | 'links' | 'oldLinks' | 'old' | 'new', string> & {
  readonly keysOnly?: string;
};

export function insertRow(shape: CaptureShape, action: string, row: Written, from = ''): string {
  return bothInboxes(
    (table) => `    insert into safekeep.${table} ${INBOX_COLUMNS}
    select ${row.tenant}, pg_catalog.pg_current_xact_id(), pg_catalog.nextval('safekeep.audit_order'), pg_catalog.clock_timestamp(), 'change', ${action},
      ${quoteText(shape.table)}, ${row.record}, ${row.newRecord}, ${row.links}, ${row.oldLinks}, ${row.old}, ${row.new},
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

/** An event of how each of these rows stands, into the inbox. $1 the event's own part, then an array of texts for each column of the key. */
export function remainStatement(capture: Capture): string {
  const shape = { ...capture, partitioned: false, paired: false };
  const keys = capture.key.map((_, place) => `k${place}`);
  return `insert into safekeep.audit_inbox_even ${INBOX_COLUMNS.replace(')', ', own)')}
    select ${tenantOf(shape, 'r')}, pg_catalog.pg_current_xact_id(), pg_catalog.nextval('safekeep.audit_order'), pg_catalog.clock_timestamp(), 'change', '${REMAIN}',
      ${quoteText(capture.table)}, ${keyOf(shape, 'r')}, null, ${linksOf(shape, 'r')}, null, null, ${pairs(capture.columns, 'r')}, null,
      ${SESSION}, $1::pg_catalog.jsonb
      from rows from (${keys.map((_, place) => `pg_catalog.unnest($${place + 2}::pg_catalog.text[])`).join(', ')}) as k (${keys.join(', ')})
      ${joinByKey(capture, capture.key)}`;
}
