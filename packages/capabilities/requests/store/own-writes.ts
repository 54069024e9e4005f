import type pg from 'pg';
import type { Person } from '../../holds/index.ts';
import type { RowKey } from '../model.ts';
import type { OwnWrites } from '../rules/own-writes.ts';
import type { Rows } from './act.ts';
import { isOneOf, Parameters, quote, quoteTable } from './sql.ts';
import { arrays, edgeCondition, tellsWriters, type Reach } from './traverse.ts';

/** No transaction that is older can still be running, in any database of the server or prepared. */
export async function oldestRunning(client: pg.ClientBase): Promise<string> {
  const { rows } = await client.query<{ xid: string }>(
    'select pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::pg_catalog.xid::text as xid',
  );
  return rows[0]?.xid ?? '';
}

/** The id under which this transaction writes. */
export async function ownTransaction(client: pg.ClientBase): Promise<string> {
  const { rows } = await client.query<{ xid: string }>('select pg_catalog.pg_current_xact_id()::pg_catalog.xid::text as xid');
  return rows[0]?.xid ?? '';
}

/**
 * Ids of savepoints of this transaction under which these rows stand: a block with EXCEPTION in a trigger is one. They are younger than the
 * transaction itself, and what can be seen although it has not ended is its own. Ids of rows have 32 bits and come round; how much younger one is
 * is asked of our own id and not of `age`, which counts from before our first write where it was asked before that.
 */
export async function ownSavepoints(client: pg.ClientBase, rows: Rows): Promise<readonly string[]> {
  const parameters = new Parameters();
  const where = isOneOf(rows.identity, 't', rows.keys, parameters);
  const found = await arrays(
    client,
    `select d.xmin::text
       from (select w.xmin, o.id, (w.xmin::text::bigint - o.id) & 4294967295 as younger
               from (select distinct t.xmin from ${quoteTable(rows.table)} as t where ${where}) as w,
                    (select pg_catalog.pg_current_xact_id()::text::bigint as id) as o) as d
      where case when d.younger between 1 and 2147483647
                 then pg_catalog.pg_xact_status((d.id + d.younger)::text::pg_catalog.xid8) = 'in progress' end`,
    parameters,
  );
  return (found as RowKey[]).flat(); // An id is not null.
}

/**
 * Whether these ids are of this database, and not of one that it was copied from: the trace of the erasure, which nobody may change, carries one
 * of them. Ids come round after four thousand million transactions: after half as many nothing is told of by them.
 */
export async function areOfHere(client: pg.ClientBase, tenant: string, { since, by, operation }: OwnWrites): Promise<boolean> {
  const { rows } = await client.query<{ known: boolean }>(
    `select exists (
       select from safekeep.ledger_heads as h
        where h.tenant_id = $1 and h.operation_id = $2 and h.xmin = any ($3::text[]::xid[])
          and pg_catalog.age($4::text::xid) >= pg_catalog.age(h.xmin)) as known`,
    [tenant, operation, by, since],
  );
  return rows[0]?.known === true;
}

/** That somebody else has written a row `t` since; where nobody knows who wrote, of every row. */
export function isOfOthers(own: OwnWrites | undefined, parameters: Parameters): string {
  if (own === undefined) return 'true';
  const since = `pg_catalog.age(t.xmin) <= pg_catalog.age(${parameters.add(own.since)}::text::xid)`;
  return `(${since} and ${isNotOwn(own, parameters)})`;
}

/** That the erasure has not written a row `t`, be it that nobody has since: it came to be the person's unwritten. */
export function isNotOwn(own: OwnWrites | undefined, parameters: Parameters): string {
  return own === undefined ? 'true' : `t.xmin <> all (${parameters.add(own.by)}::text[]::xid[])`;
}

/** Whether somebody else has written one of the rows of a table since that are the person's, or lead to them from others. */
export async function hasOthers(
  client: pg.ClientBase,
  reach: Reach,
  { table, person, own }: { readonly table: string; readonly person: Person; readonly own: OwnWrites | undefined },
): Promise<boolean> {
  const parameters = new Parameters();
  const nodes = [...reach.graph.nodes.values()].filter((node) => node.table === table);
  const conditions = nodes.flatMap((node) => edgeCondition(reach, { node, key: person.key }, parameters) ?? []);
  if (conditions.length === 0) return false;
  const found = await arrays(
    client,
    `select 1::text from ${quoteTable(table)} as t where (${conditions.join(' or ')}) and ${isOfOthers(own, parameters)} limit 1`,
    parameters,
  );
  return found.length > 0;
}

/** So many values travel at once. */
const VALUES_AT_ONCE = 10_000;

/** What these columns hold together in rows that somebody else has written since, in batches. */
export async function* valuesOfOthers(
  client: pg.ClientBase,
  schema: Reach['schema'],
  { table, columns, own }: { readonly table: string; readonly columns: readonly string[]; readonly own: OwnWrites | undefined },
): AsyncGenerator<readonly RowKey[]> {
  const [asked, none] = [new Parameters(), new Parameters()];
  const names = columns.map((column) => `t.${quote(column)}`);
  const where = names.map((name) => `${name} is not null`).join(' and ');
  const since = isOfOthers(tellsWriters(schema, table) ? own : undefined, asked);
  await client.query(
    `declare safekeep_values no scroll cursor for
     select distinct ${names.map((name) => `${name}::text`).join(', ')} from ${quoteTable(table)} as t where ${where} and ${since}`,
    asked.values,
  );
  for (let isMore = true; isMore;) {
    const found = await arrays(client, `fetch ${VALUES_AT_ONCE} from safekeep_values`, none);
    isMore = found.length === VALUES_AT_ONCE;
    yield found as readonly RowKey[]; // Nulls are left out.
  }
  await client.query('close safekeep_values');
}
