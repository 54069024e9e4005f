import type pg from 'pg';
import { quoteName, quoteTable, quoteText } from '@safekeep/postgres';
import { PLAINTEXT_BACK, REMAIN, type Capture, type EventRow } from '../../model.ts';
import { jsonOf, keyText } from '../../store/capture/row-values.ts';
import { EVENT_COLUMNS, isOfOneOf, isOfRow } from '../../store/events.ts';

/** A row of a captured table as capture would write it now. */
export type LiveRow = {
  readonly record: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** Written by a transaction that began after the table was last put under capture, and of which no dropped event can have told. */
  readonly isNewer: boolean;
};

/** An ordered walk through the answer of one statement, some rows at a time. Ends with the transaction at the latest. */
export type Walk<Row> = { readonly next: (count: number) => Promise<readonly Row[]>; readonly end: () => Promise<void> };

/** Rows of a captured table in the byte order of their keys. */
export async function walkRows(
  client: pg.ClientBase,
  capture: Capture,
  { owner, through }: { readonly owner: string; readonly through: string | undefined },
): Promise<Walk<LiveRow>> {
  const key = keyText(capture.key, 'r');
  const own = ownRows(capture, owner);
  const after =
    through === undefined
      ? ''
      : ` and pg_catalog.age(r.xmin) < pg_catalog.age(${quoteText(through)}::pg_catalog.xid8::pg_catalog.xid)`;
  return await walk(
    client,
    'safekeep_rows',
    `select ${key} as record, ${valuesOf(capture)} as values,
            pg_catalog.age(r.xmin) < (select pg_catalog.age(k.xmin) from safekeep.audit_captures as k where k.tenant_id = ${quoteText(owner)} and k.table_name = ${quoteText(capture.table)})${after} as "isNewer"
       from ${rowsOf(capture)} as r${own} order by ${key} collate "C"`,
  );
}

/** What the rows of a table hold, in no order. */
export async function walkValues(
  client: pg.ClientBase,
  capture: Capture,
  owner: string,
): Promise<Walk<{ readonly values: Readonly<Record<string, unknown>> }>> {
  return await walk(
    client,
    'safekeep_values',
    `select ${valuesOf(capture)} as values from ${rowsOf(capture)} as r${ownRows(capture, owner)}`,
  );
}

/** Changes of a table whose rows have no key, the newest first, after a place of the log. */
export async function walkUnkeyed(
  client: pg.ClientBase,
  { tenant, table }: Capture,
  { era, index }: { readonly era: number; readonly index: number },
): Promise<Walk<EventRow>> {
  return await walk(
    client,
    'safekeep_unkeyed',
    `select ${EVENT_COLUMNS} from safekeep.audit_events as e
      where e.tenant_id = ${quoteText(tenant)} and e.table_name = ${quoteText(table)} and e.kind = 'change'
        and (e.era, e.leaf_index) >= (${Math.trunc(era)}, ${Math.trunc(index)})
      order by e.era desc, e.leaf_index desc`,
  );
}

/** PostgreSQL's numbers of the columns of a table by their names: a column that is renamed keeps its number. */
export type ColumnNumbers = ReadonlyMap<string, number>;

/** Of these tables in their order. */
export async function readColumnNumbers(client: pg.ClientBase, captures: readonly Capture[]): Promise<readonly ColumnNumbers[]> {
  const { rows } = await client.query<{ place: number; name: string; number: number }>(
    `select t.place::integer - 1 as place, a.attname::text as name, a.attnum::integer as number
       from rows from (unnest($1::text[]), unnest($2::text[])) with ordinality as t (schema, name, place)
       join pg_catalog.pg_attribute as a on a.attrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', t.schema, t.name))
      where a.attnum > 0 and not a.attisdropped`,
    [captures.map(({ schema }) => schema), captures.map(({ name }) => name)],
  );
  return captures.map((_, place) => new Map(rows.filter((row) => row.place === place).map((row) => [row.name, row.number])));
}

function rowsOf({ schema, name, alone }: Capture): string {
  return `${alone === true ? 'only ' : ''}${quoteTable({ schema, table: name })}`;
}

function valuesOf({ columns }: Capture): string {
  const values = columns.map((column) => `select ${quoteText(column.name)}::text as name, ${jsonOf(column, 'r')} as value`);
  return `(select coalesce(pg_catalog.jsonb_object_agg(c.name, c.value), '{}') from (${values.join(' union all ') || `select ''::text as name, null::jsonb as value where false`}) as c)`;
}

/** Of a table with a column for the tenant each tenant has its own rows; `owner` applied the capture, and has those that name nobody. */
function ownRows({ tenant, tenantColumn }: Capture, owner: string): string {
  if (tenantColumn === null) return '';
  return ` where coalesce(r.${quoteName(tenantColumn)}::text, ${quoteText(owner)}) = ${quoteText(tenant)}`;
}

/** Events of a table, or of these rows of it, in the byte order of their records, of each record the newest first. */
export async function walkEvents(
  client: pg.ClientBase,
  { tenant, table }: Capture,
  records?: readonly string[],
): Promise<Walk<EventRow>> {
  const [of, name] = [quoteText(tenant), quoteText(table)];
  const these =
    records === undefined
      ? `e.tenant_id = ${of} and e.table_name = ${name} and e.record is not null`
      : isOfOneOf(
          of,
          name,
          records.map((record) => quoteText(record)),
        );
  return await walk(
    client,
    'safekeep_events',
    `select ${EVENT_COLUMNS} from safekeep.audit_events as e
      where ${these} and e.kind = 'change'
      order by e.record collate "C", e.era desc, e.leaf_index desc`,
  );
}

/** An event of a row of an erased person, which it names by a mark alone. */
export type MarkedEvent = {
  readonly era: number;
  readonly index: number;
  readonly action: string;
  readonly columns: readonly string[] | null;
  readonly row: string;
  readonly movedTo: string | null;
  readonly marks: Readonly<Record<string, string>> | null;
  readonly withheld: boolean;
};

/** Events of these rows of several tables, of each row the newest first. */
export async function readEventsOf(
  client: pg.ClientBase,
  tenant: string,
  records: ReadonlyMap<string, readonly string[]>,
): Promise<readonly EventRow[]> {
  const rows = [...records].flatMap(([table, some]) => [...new Set(some)].map((record) => ({ table, record })));
  if (rows.length === 0) return [];
  const { rows: found } = await client.query<EventRow>(
    `select ${EVENT_COLUMNS} from rows from (unnest($2::text[]), unnest($3::text[])) as r (name, record)
       join safekeep.audit_events as e on ${isOfRow('$1', 'r.name', 'r.record')} and e.kind = 'change'
      order by e.era desc, e.leaf_index desc`,
    [tenant, rows.map(({ table }) => table), rows.map(({ record }) => record)],
  );
  return found;
}

/** Of these tables those that were emptied by TRUNCATE, or have columns that were given their plaintext back, in the log of one of these tenants. */
export async function readToldOfTables(
  client: pg.ClientBase,
  tenants: readonly string[],
  tables: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ table: string }>(
    `select distinct e.table_name as "table" from safekeep.audit_events as e
      where e.tenant_id = any ($1::text[]) and e.table_name = any ($2::text[]) and e.record is null and e.kind = 'change'
        and e.action in ('truncate', '${PLAINTEXT_BACK}')`,
    [tenants, tables],
  );
  return new Set(rows.map(({ table }) => table));
}

const MARKED_COLUMNS = `era, leaf_index::float8 as index, action, columns, details ->> 'row' as row, details ->> 'movedTo' as "movedTo", details -> 'marks' as marks,
            coalesce((details ->> 'withheld')::boolean, false) as withheld`;

/** Those of rows with these marks, each with its table. The newest first. */
export async function readMarkedOf(
  client: pg.ClientBase,
  tenant: string,
  marks: ReadonlyMap<string, string>,
): Promise<readonly (MarkedEvent & { readonly table: string })[]> {
  const { rows } = await client.query<MarkedEvent & { table: string }>(
    `select ${MARKED_COLUMNS}, e.table_name as "table"
       from rows from (unnest($2::text[]), unnest($3::text[])) as m (mark, name)
       join safekeep.audit_events as e on e.tenant_id = $1 and e.table_name = m.name and e.details ->> 'row' = m.mark
      where e.record is null and e.kind = 'change' and e.action in ('insert', 'update', 'delete', '${REMAIN}')
      order by e.era desc, e.leaf_index desc`,
    [tenant, [...marks.keys()], [...marks.values()]],
  );
  return rows;
}

/** The newest first. Of these actions the sequencer makes the details itself; of others it takes over what somebody said. */
export async function walkMarked(client: pg.ClientBase, { tenant, table }: Capture): Promise<Walk<MarkedEvent>> {
  return await walk(
    client,
    'safekeep_marked',
    `select ${MARKED_COLUMNS}
       from safekeep.audit_events as e
      where tenant_id = ${quoteText(tenant)} and table_name = ${quoteText(table)} and kind = 'change' and record is null and details ? 'row'
        and action in ('insert', 'update', 'delete', '${REMAIN}')
      order by e.era desc, e.leaf_index desc`,
  );
}

/**
 * Where the table was last emptied by TRUNCATE: what was logged of its rows before is gone from it. In the log of `owner`, who applied the capture; of
 * another tenant's log the place where its events of then end.
 */
export async function lastTruncate(
  client: pg.ClientBase,
  { tenant, table }: Capture,
  owner: string,
): Promise<{ readonly era: number; readonly index: number } | undefined> {
  const { rows } = await client.query<{ era: number; index: number; orderNo: string }>(
    `select era, leaf_index::float8 as index, order_no::text as "orderNo" from safekeep.audit_events
      where tenant_id = $1 and table_name = $2 and record is null and kind = 'change' and action = 'truncate'
      order by audit_events.era desc, audit_events.leaf_index desc limit 1`,
    [owner, table],
  );
  const [found] = rows;
  return found === undefined || tenant === owner ? found : await placeIn(client, { tenant, table }, found.orderNo);
}

/** Where the events of a table in the log of a tenant end that came before something in the log of another. */
async function placeIn(
  client: pg.ClientBase,
  { tenant, table }: Pick<Capture, 'tenant' | 'table'>,
  orderNo: string,
): Promise<Place | undefined> {
  const { rows } = await client.query<Place>(
    `select era, leaf_index::float8 + 1 as index from safekeep.audit_events
      where tenant_id = $1 and table_name = $2 and kind = 'change' and order_no < $3
      order by audit_events.era desc, audit_events.leaf_index desc limit 1`,
    [tenant, table, orderNo],
  );
  return rows[0];
}

/** By column where it was given its plaintext back last, in the log of `owner` as {@link lastTruncate}. */
export async function plaintextBack(
  client: pg.ClientBase,
  { tenant, table }: Capture,
  owner: string,
): Promise<ReadonlyMap<string, Place>> {
  const { rows } = await client.query<Place & { column: string; orderNo: string }>(
    `select distinct on (c.name) c.name as column, e.era, e.leaf_index::float8 as index, e.order_no::text as "orderNo"
       from safekeep.audit_events as e, pg_catalog.jsonb_array_elements_text(e.details -> 'columns') as c (name)
      where e.tenant_id = $1 and e.table_name = $2 and e.record is null and e.kind = 'change' and e.action = $3
      order by c.name, e.era desc, e.leaf_index desc`,
    [owner, table, PLAINTEXT_BACK],
  );
  const places = new Map<string, Place>();
  for (const { column, orderNo, era, index } of rows) {
    const place = tenant === owner ? { era, index } : await placeIn(client, { tenant, table }, orderNo);
    if (place !== undefined) places.set(column, place);
  }
  return places;
}

type Place = { readonly era: number; readonly index: number };

/** Whether row security keeps rows of the table from this login. */
export async function hidesRows(client: pg.ClientBase, { schema, name }: Capture): Promise<boolean> {
  const { rows } = await client.query<{ hides: boolean }>(
    `select coalesce(pg_catalog.row_security_active(pg_catalog.to_regclass(pg_catalog.format('%I.%I', $1::text, $2::text))), false) as hides`,
    [schema, name],
  );
  return rows[0]?.hides === true;
}

/** Whether there is such a table at all. */
export async function isThere(client: pg.ClientBase, { schema, name }: Capture): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(
    `select pg_catalog.to_regclass(pg_catalog.format('%I.%I', $1::text, $2::text)) is not null as there`,
    [schema, name],
  );
  return rows[0]?.there === true;
}

async function walk<Row extends pg.QueryResultRow>(client: pg.ClientBase, name: string, statement: string): Promise<Walk<Row>> {
  await client.query(`declare ${name} no scroll cursor for ${statement}`);
  return {
    next: async (count) => (await client.query<Row>(`fetch ${Math.trunc(count)} from ${name}`)).rows,
    end: async () => void (await client.query(`close ${name}`)),
  };
}
