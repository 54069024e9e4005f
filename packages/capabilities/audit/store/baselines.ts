import type pg from 'pg';
import { quoteText } from '@safekeep/postgres';
import type { ColumnForm } from '../model.ts';
import { isAlsoAbout, isFirstAbout } from './events.ts';

type Client = Pick<pg.ClientBase, 'query'>;

type ShapeColumn = { readonly name: string; readonly type: string; readonly form: ColumnForm };

/** What a baseline is over. */
export type BaselineShape = { readonly key: readonly ShapeColumn[]; readonly columns: readonly ShapeColumn[] };

export type TableOf = { readonly tenant: string; readonly table: string };

// ---- statements of plan and apply ------------------------------------------------------------------------------------

/** What was taken before stays until the next one is: it is held against it first. */
export function orderBaseline({ tenant, table }: TableOf, shape: BaselineShape): string {
  const values = [tenant, table, JSON.stringify(shape)].map((text) => quoteText(text));
  return `insert into safekeep.audit_baselines (tenant_id, table_name, shape, ordered, is_taken)
values (${values.join(', ')}, pg_catalog.gen_random_uuid(), false)
on conflict (tenant_id, table_name) do update set shape = excluded.shape, ordered = excluded.ordered, is_taken = false, refused_at = null`;
}

export function dropBaseline({ tenant, table }: TableOf): readonly string[] {
  const [of, name] = [quoteText(tenant), quoteText(table)];
  return [
    // Of a table with a column for the tenant every tenant has its own part, unless another of them has it captured too.
    `delete from safekeep.audit_baseline_marks as m where m.table_name = ${name}
       and not exists (select from safekeep.audit_baselines as b where b.table_name = ${name} and b.tenant_id <> ${of})`,
    `delete from safekeep.audit_baselines where tenant_id = ${of} and table_name = ${name}`,
  ];
}

export const PROBE_BASELINE = `
  select keys.place::integer as place, b.shape::pg_catalog.text as state, false as disabled
    from pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) with ordinality as keys (parts, place)
    join safekeep.audit_baselines as b
      on b.tenant_id = keys.parts operator(pg_catalog.->>) 0 and b.table_name = keys.parts operator(pg_catalog.->>) 1`;

// ---- orders ----------------------------------------------------------------------------------------------------------

export type BaselineOrder = TableOf & { readonly ordered: string; readonly shape: BaselineShape };

/** Of a captured table without a row here: one that was made before there were baselines, or whose row somebody took away. */
export async function insertOrder(
  client: Client,
  { tenant, table }: TableOf,
  { shape, order }: { readonly shape: BaselineShape; readonly order: string },
): Promise<void> {
  await client.query(
    `insert into safekeep.audit_baselines (tenant_id, table_name, shape, ordered, is_taken) values ($1, $2, $3, $4, false) on conflict do nothing`,
    [tenant, table, JSON.stringify(shape), order],
  );
}

/** Whose baselines somebody wants, or has. */
export async function readOrdered(client: Client): Promise<readonly (TableOf & { readonly isTaken: boolean })[]> {
  const { rows } = await client.query<TableOf & { isTaken: boolean }>(
    `select tenant_id as tenant, table_name as "table", is_taken as "isTaken" from safekeep.audit_baselines`,
  );
  return rows;
}

/** A table whose rows were not as the log has them is looked at again after this long: looking reads all of it. */
const REFUSED_FOR = '1 hour';

/** Those that wait, by whoever applied them. */
export async function readOrders(client: Client): Promise<readonly BaselineOrder[]> {
  const { rows } = await client.query<BaselineOrder>(
    `select tenant_id as tenant, table_name as "table", ordered::text, shape from safekeep.audit_baselines
      where not is_taken and (refused_at is null or refused_at < now() - interval '${REFUSED_FOR}') order by table_name, tenant_id`,
  );
  return rows;
}

export async function endOrder(client: Client, { tenant, table }: TableOf, isTaken: boolean): Promise<void> {
  await client.query(
    `update safekeep.audit_baselines set is_taken = $3, refused_at = case when not $3 then now() end
      where tenant_id = $1 and table_name = $2`,
    [tenant, table, isTaken],
  );
}

type Again = {
  readonly order: string;
  /** After as long as a refused one waits. */
  readonly isForLater: boolean;
};

/** Of these tables a new one is wanted, whatever there is. */
export async function orderAgain(client: Client, tables: readonly string[], { order, isForLater }: Again): Promise<void> {
  await client.query(
    `update safekeep.audit_baselines set ordered = $2, is_taken = false, refused_at = case when $3 then now() end where table_name = any ($1::text[])`,
    [tables, order, isForLater],
  );
}

const READING = quoteText('safekeep baselines');

/**
 * Whether no other process takes baselines; until the transaction ends. In it the inboxes, the state of the sequencer, the log and the tables are all
 * as at one moment, though nobody's work waits for it.
 */
export async function takesAlone(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ alone: boolean }>(
    `select pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(${READING}, 0)) as alone`,
  );
  return rows[0]?.alone === true;
}

/** All tenants that Safekeep knows, and so may seal for. */
export async function readAllTenants(client: Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ tenant: string }>('select tenant_id as tenant from safekeep.tenants order by tenant_id');
  return rows.map(({ tenant }) => tenant);
}

// ---- marks -----------------------------------------------------------------------------------------------------------

/** Parts of a kilobyte that one statement writes. */
const PARTS_AT_ONCE = 2000;

export async function writeMarks(client: Client, { tenant, table }: TableOf, parts: readonly Buffer[]): Promise<void> {
  await client.query('delete from safekeep.audit_baseline_marks where tenant_id = $1 and table_name = $2', [tenant, table]);
  for (let from = 0; from < parts.length; from += PARTS_AT_ONCE)
    await client.query(
      `insert into safekeep.audit_baseline_marks (tenant_id, table_name, part, marks)
       select $1, $2, $3::integer + m.place - 1, m.marks from unnest($4::bytea[]) with ordinality as m (marks, place)`,
      [tenant, table, from, parts.slice(from, from + PARTS_AT_ONCE)],
    );
}

/** In order. */
export async function readMarks(client: Client, { tenant, table }: TableOf): Promise<readonly Buffer[]> {
  const { rows } = await client.query<{ marks: Buffer }>(
    'select marks from safekeep.audit_baseline_marks where tenant_id = $1 and table_name = $2 order by part',
    [tenant, table],
  );
  return rows.map(({ marks }) => marks);
}

/** These parts, of several tables. */
export async function readMarksOf(
  client: Client,
  tenant: string,
  parts: readonly { readonly table: string; readonly part: number }[],
): Promise<readonly { readonly table: string; readonly part: number; readonly marks: Buffer }[]> {
  if (parts.length === 0) return [];
  const { rows } = await client.query<{ table: string; part: number; marks: Buffer }>(
    `select m.table_name as "table", m.part, m.marks
       from rows from (unnest($2::text[]), unnest($3::integer[])) as p (name, part)
       join safekeep.audit_baseline_marks as m on m.tenant_id = $1 and m.table_name = p.name and m.part = p.part
      order by m.table_name, m.part`,
    [tenant, parts.map(({ table }) => table), parts.map(({ part }) => part)],
  );
  return rows;
}

/** Writes over parts. */
export async function replaceMarks(
  client: Client,
  tenant: string,
  parts: readonly { readonly table: string; readonly part: number; readonly marks: Buffer }[],
): Promise<void> {
  if (parts.length === 0) return;
  await client.query(
    `update safekeep.audit_baseline_marks as m set marks = n.marks
       from rows from (unnest($2::text[]), unnest($3::integer[]), unnest($4::bytea[])) as n (name, part, marks)
      where m.tenant_id = $1 and m.table_name = n.name and m.part = n.part`,
    [tenant, parts.map(({ table }) => table), parts.map(({ part }) => part), parts.map(({ marks }) => marks)],
  );
}

// ---- what the log tells ----------------------------------------------------------------------------------------------

export type ToldBaseline = {
  readonly era: number;
  readonly index: number;
  readonly action: string;
  readonly table: string;
  /** As they were written. */
  readonly details: unknown;
};

/** The era of what is not in the log yet, and so newer than all that is. */
const ON_ITS_WAY = 2_147_483_647;

/** Events of baselines, the newest first. */
export async function readTold(
  client: Client,
  {
    tenant,
    tables,
    actions,
    withInbox = false,
  }: {
    readonly tenant: string;
    readonly tables: readonly string[] | null;
    readonly actions: readonly string[];
    /** Also what is on its way into the log, and what stands in the inbox still: one that is told twice counts once. */
    readonly withInbox?: boolean;
  },
): Promise<readonly ToldBaseline[]> {
  const of = `tenant_id = $1 and table_name is not null and kind in ('compliance', 'security') and action = any ($2::text[])
        and ($3::text[] is null or table_name = any ($3))`;
  const waiting = ['audit_inbox_even', 'audit_inbox_odd'].map(
    (inbox) =>
      `union all select ${ON_ITS_WAY}, order_no::float8, action, table_name, own -> 'details' from safekeep.${inbox} where ${of}`,
  );
  const { rows } = await client.query<ToldBaseline>(
    `select * from (
       select era, leaf_index::float8 as index, action, table_name as "table", details from safekeep.audit_events where ${of} and record is null
       ${withInbox ? waiting.join(' ') : ''}) as t
      order by t.era desc, t.index desc`,
    [tenant, actions, tables],
  );
  return rows;
}

/**
 * Rows, by table and key, of which the log has events about this person: that the row was deleted. Once their names are taken out nothing else
 * says why they are gone.
 */
export async function readDeleted(
  client: Client,
  { tenant, subject }: { readonly tenant: string; readonly subject: string },
): Promise<ReadonlyMap<string, readonly string[]>> {
  const of = `e.tenant_id = $1 and e.kind = 'change' and e.action = 'delete' and e.record is not null
              and exists (select from safekeep.audit_baselines as b where b.table_name = e.table_name)`;
  const { rows } = await client.query<{ table: string; records: string[] }>(
    `select r.table_name as "table", array_agg(distinct r.record) as records from (
       select e.table_name, e.record from safekeep.audit_events as e where ${of} and ${isFirstAbout('$1', '$2')}
       union all
       select e.table_name, e.record from safekeep.audit_events as e where ${of} and ${isAlsoAbout('$1', '$2')}) as r
      group by r.table_name`,
    [tenant, subject],
  );
  return new Map(rows.map(({ table, records }) => [table, records]));
}

/**
 * Of these tables those whose rows are held against a baseline. A write, so that a baseline that is taken at the same time, of rows as they stood
 * before this transaction, fails and is taken again.
 */
export async function touchBaselines(client: Client, tables: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ table: string }>(
    'update safekeep.audit_baselines set is_taken = is_taken where table_name = any ($1::text[]) returning table_name as "table"',
    [tables],
  );
  return new Set(rows.map(({ table }) => table));
}
