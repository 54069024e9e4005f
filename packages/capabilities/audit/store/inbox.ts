import type pg from 'pg';
import type { EventKind, Values } from '../model.ts';
import { changesOf } from '../rules/change-texts.ts';
import { rowValues } from '../rules/row-text.ts';
import { NOT_SAID, ONE_TEXT, WHOLE_ROWS } from './capture/inbox-rows.ts';

/** What capture and Safekeep itself wrote, as the sequencer reads it. */
export type InboxRow = {
  readonly tenant: string;
  readonly orderNo: string;
  readonly at: string;
  readonly kind: EventKind;
  readonly action: string;
  readonly table: string | null;
  readonly record: string | null;
  readonly newRecord: string | null;
  readonly links: readonly (string | null)[] | null;
  readonly oldLinks: readonly (string | null)[] | null;
  readonly old: Values | null;
  readonly new: Values | null;
  readonly keysOnly: boolean | null;
  readonly actor: string | null;
  readonly purpose: string | null;
  readonly request: string | null;
  readonly proof: string | null;
  readonly backend: number | null;
  readonly began: string | null;
  readonly login: string | null;
  readonly application: string | null;
  readonly own: string | null;
  /** Its place among those that share an order number, because one statement made them. */
  readonly place: number;
};

const COLUMNS = `i.tenant_id as tenant, i.order_no::text as "orderNo", ${micros('i.at')} as at, i.kind, i.action, i.table_name as "table",
  i.record, i.new_record as "newRecord", i.links, i.old_links as "oldLinks", i.old, i.new, i.keys_only as "keysOnly", nullif(i.actor, '') as actor,
  nullif(i.purpose, '') as purpose, nullif(i.request, '') as request, nullif(i.proof, '') as proof, i.backend, ((extract(epoch from i.began) * 1000000)::bigint)::text as began, i.login, i.application,
  i.own::text, i.names, array_to_json(i.many)::text as many`;
const BOTH = '(select * from safekeep.audit_inbox_even union all select * from safekeep.audit_inbox_odd) as i';

/** An instant as text in UTC with microseconds, whatever the session's settings. */
export function micros(expression: string): string {
  return `to_char(${expression} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

/** Up to where the inboxes are emptied. Snapshots as PostgreSQL writes them. */
export type Progress = { readonly done: string; readonly target: string | null; readonly cursorNo: string };

/**
 * What is committed in the snapshot of this transaction (and in `target`, where one is being emptied) and not in `done`, in the order
 * in which it happened. Not by time or number alone: a transaction that commits late would be passed over for ever.
 */
export async function readPending(client: pg.ClientBase, { done, target, cursorNo }: Progress, limit: number): Promise<Pending> {
  const within = target === null ? '' : 'and pg_visible_in_snapshot(i.xid, $3::pg_snapshot) and i.order_no > $4::bigint';
  const { rows } = await client.query<StoredRow & { found: number }>(
    atMost('$2', `i.xid >= pg_snapshot_xmin($1::pg_snapshot) and not pg_visible_in_snapshot(i.xid, $1::pg_snapshot) ${within}`),
    target === null ? [done, limit] : [done, limit, target, cursorNo],
  );
  return { rows: rows.flatMap(eventsOf), isFull: rows.length < (rows[0]?.found ?? 0) };
}

/** Rows until so many events are reached: a row can be a batch of them. One row more than fits tells whether anything is left. */
function atMost(limit: string, where: string, order = ''): string {
  return `select ${COLUMNS}, i.found::float8 as found
       from (select f.*, count(*) over () as found, sum(coalesce(f.events, 1)) over (order by f.order_no ${order}) - coalesce(f.events, 1) as before
               from (select * from ${BOTH} where ${where} order by i.order_no ${order} limit ${limit}::bigint + 1) as f) as i
      where i.before < ${limit}::bigint order by i.order_no ${order}`;
}

/** `isFull`: there is more than was asked for. */
export type Pending = { readonly rows: readonly InboxRow[]; readonly isFull: boolean };

type StoredRow = Omit<InboxRow, 'place'> & { readonly names: readonly string[] | null; readonly many: string | null };

/** Of a batch, its events as they would stand by themselves. */
function eventsOf(row: StoredRow): readonly InboxRow[] {
  const { names: written, many, ...shared } = row;
  if (many === null || written === null) return [{ ...shared, place: 0 }];
  const { names, changes } = ONE_TEXT.every((mark, place) => written[place] === mark)
    ? inOneText(row.action, written, many)
    : // Written by the capture functions: a list of texts for each change.
      { names: written, changes: JSON.parse(many) as Changes };
  const read = readers[row.action];
  if (read === undefined) throw new Error(`There is no batch of ${row.action}`);
  const events = changes.map((change, place) => ({ ...shared, place, ...read(change, names) }));
  // A row that comes alone is written whether it changed or not: whoever writes it has no time to look.
  return isWhole(names) && row.action === 'update' ? events.filter((event) => Object.keys(event.new ?? {}).length > 0) : events;
}

type Changes = readonly (readonly (string | null)[])[];

function inOneText(
  action: string,
  written: readonly string[],
  many: string,
): { readonly names: readonly string[]; readonly changes: Changes } {
  const [places = '', ...names] = written.slice(ONE_TEXT.length);
  const parts = places.split(',').map(Number);
  // As of the lists: an UPDATE has its links twice, and each column before and after.
  const width = parts.length + (action === 'update' ? parts.length - 1 + 2 * names.length : 0);
  // Written by the capture functions: one text.
  const [text = ''] = JSON.parse(many) as readonly string[];
  return { names, changes: changesOf(text, { parts, width }) };
}

type Read = (change: readonly (string | null)[], names: readonly string[]) => Partial<InboxRow>;

// As insertBatches of capture/inbox-rows.ts lists them: the key, the links, and of an UPDATE the links before; then the values by column.
const readers: Readonly<Record<string, Read>> = {
  insert: ([record = null, ...links]) => ({ record, links: orNone(links) }),
  delete: ([record = null, ...rest], names) => {
    const at = isWhole(names) ? rest.length - 1 : rest.length - names.length;
    const old = isWhole(names) ? wholeOf(names, rest[at]) : valuesOf(names, rest, { at, other: at, all: true });
    return { record, links: orNone(rest.slice(0, at)), old };
  },
  update: ([record = null, ...rest], names) => {
    const at = rest.length - 2 * (isWhole(names) ? 1 : names.length);
    const links = rest.slice(0, at / 2);
    const before = rest.slice(at / 2, at);
    return {
      record,
      links: orNone(links),
      oldLinks: before.every((link) => link === null)
        ? null
        : before.map((link, place) => (link === null ? (links[place] ?? null) : link === '-' ? null : link.slice(1))),
      ...(isWhole(names) ? changedOf(names, rest[at], rest[at + 1]) : sidesOf(names, rest, at)),
    };
  },
};

function sidesOf(names: readonly string[], change: readonly (string | null)[], at: number): Pick<InboxRow, 'old' | 'new'> {
  const next = at + names.length;
  return {
    old: valuesOf(names, change, { at, other: next, all: false }),
    new: valuesOf(names, change, { at: next, other: at, all: false }),
  };
}

function isWhole(names: readonly string[]): boolean {
  return names[0] === WHOLE_ROWS;
}

type Text = string | null | undefined;

function wholeOf([, ...columns]: readonly string[], row: Text): Values {
  const values = rowValues(row ?? '');
  return Object.fromEntries(columns.map((column, place) => [column, values[place] ?? null]));
}

/** What differs between the two. */
function changedOf([, ...columns]: readonly string[], before: Text, after: Text): Pick<InboxRow, 'old' | 'new'> {
  const [old, made] = [rowValues(before ?? ''), rowValues(after ?? '')];
  const changed = columns.flatMap((column, place) => (old[place] === made[place] ? [] : [[column, place] as const]));
  const side = (values: readonly (string | null)[]): Values =>
    Object.fromEntries(changed.map(([column, place]) => [column, values[place] ?? null]));
  return { old: side(old), new: side(made) };
}

function orNone(links: readonly (string | null)[]): readonly (string | null)[] | null {
  return links.length === 0 ? null : links;
}

type Side = { readonly at: number; readonly other: number; readonly all: boolean };

/** A column that changed is there before or after; one that did not is nowhere. */
function valuesOf(names: readonly string[], change: readonly (string | null)[], { at, other, all }: Side): Values {
  const values: Record<string, Values[string]> = {};
  for (let place = 0; place < names.length; place += 1) {
    const entry = change[at + place] ?? null;
    if (entry === null && !all && (change[other + place] ?? null) === null) continue;
    if (entry === NOT_SAID) continue;
    const value = entry === null || entry === '-' ? null : entry.startsWith('=') ? entry.slice(1) : hashed(entry);
    const name = names[place] ?? '';
    // Not by assignment: a column may be called as what objects inherit.
    if (name === '__proto__') Object.defineProperty(values, name, { value, enumerable: true, configurable: true, writable: true });
    else values[name] = value;
  }
  return values;
}

function hashed(entry: string): Values[string] {
  // Written by entryOf of capture/row-values.ts: `#` and hash and size.
  return JSON.parse(entry.slice(1)) as Values[string];
}

/**
 * What no event stands for, by its order number: where transaction ids cannot be compared any more, because the rows came here from
 * another cluster. Numbers outlive dump and restore.
 */
export async function readUnsequenced(client: pg.ClientBase, limit: number): Promise<readonly InboxRow[]> {
  const { rows } = await client.query<StoredRow>(
    atMost(
      '$1',
      `not exists (select from safekeep.audit_events as e where e.order_no = i.order_no
                          and e.sequenced_at >= (select coalesce(min(b.at), now()) - interval '2 days' from ${BOTH.replace(' as i', ' as b')}))`,
    ),
    [limit],
  );
  return rows.flatMap(eventsOf);
}

/** What one call reads of the inboxes at most. */
const UNMOVED_AT_MOST = 200_000;

/** Changes of these tables that are committed and not in the log yet, in the order in which they happened. */
export async function readUnmoved(
  client: pg.ClientBase,
  { done, target, cursorNo }: Progress,
  tables: readonly string[],
): Promise<Pending> {
  const moved = target === null ? '' : 'and not (pg_visible_in_snapshot(i.xid, $4::pg_snapshot) and i.order_no <= $5::bigint)';
  const { rows } = await client.query<StoredRow & { found: number }>(
    atMost(
      '$2',
      `i.kind = 'change' and i.table_name = any ($3::text[]) and i.xid >= pg_snapshot_xmin($1::pg_snapshot)
        and not pg_visible_in_snapshot(i.xid, $1::pg_snapshot) ${moved}`,
    ),
    [done, UNMOVED_AT_MOST, tables, ...(target === null ? [] : [target, cursorNo])],
  );
  return { rows: rows.flatMap(eventsOf), isFull: rows.length < (rows[0]?.found ?? 0) };
}

/** Everything that happened to rows of these tables after `afterNo`, as far as this transaction sees it. */
export async function readLater(
  client: pg.ClientBase,
  { done, tables, afterNo }: { readonly done: string; readonly tables: readonly string[]; readonly afterNo: string },
  limit: number,
): Promise<readonly InboxRow[]> {
  const { rows } = await client.query<StoredRow>(
    atMost(
      '$4',
      `i.xid >= pg_snapshot_xmin($1::pg_snapshot) and not pg_visible_in_snapshot(i.xid, $1::pg_snapshot)
        and i.table_name = any ($2::text[]) and i.order_no > $3::bigint and i.action <> 'insert'`,
    ),
    [done, tables, afterNo, limit],
  );
  return rows.flatMap(eventsOf);
}

/** Rows of these tables that were deleted and are not in the log yet, or only just. */
export async function readDeleted(client: pg.ClientBase, tables: readonly string[], limit: number): Promise<readonly InboxRow[]> {
  const { rows } = await client.query<StoredRow>(atMost('$2', `i.table_name = any ($1::text[]) and i.action = 'delete'`, 'desc'), [
    tables,
    limit,
  ]);
  return rows.flatMap(eventsOf);
}

export type Inbox = 'audit_inbox_even' | 'audit_inbox_odd';

/** The inbox that no transaction beginning now writes to, if anything lies in it. */
export async function readIdleInbox(client: pg.ClientBase): Promise<Inbox | undefined> {
  const { rows } = await client.query<{ name: Inbox; used: boolean }>(
    `select name, pg_relation_size(('safekeep.' || name)::regclass) > 0 as used
       from (select case when mod((date_part('epoch', now()) / 600)::bigint, 2) = 0 then 'audit_inbox_odd' else 'audit_inbox_even' end) as idle (name)`,
  );
  return rows[0]?.used === true ? rows[0].name : undefined;
}

/** Takes the inbox for itself, or throws 55P03 after 50 ms: writers must not stand in line behind us. */
export async function lockInbox(client: pg.ClientBase, inbox: Inbox): Promise<void> {
  await client.query(`set local lock_timeout = '50ms'`);
  await client.query(`lock table safekeep.${inbox} in access exclusive mode`);
}

/** Empties it, unless something lies in it that is not in `done`. Only in READ COMMITTED, where this looks anew after the lock. */
export async function emptyInbox(client: pg.ClientBase, inbox: Inbox, done: string): Promise<boolean> {
  const { rows } = await client.query<{ left: boolean }>(
    `select exists (select from safekeep.${inbox} where xid >= pg_snapshot_xmin($1::pg_snapshot) and not pg_visible_in_snapshot(xid, $1::pg_snapshot)) as left`,
    [done],
  );
  if (rows[0]?.left !== false) return false;
  await client.query(`truncate safekeep.${inbox}`);
  return true;
}
