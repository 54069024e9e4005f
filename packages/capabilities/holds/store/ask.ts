import pg from 'pg';
import { newId } from '@safekeep/core';
import { quoteTable, together, type Queryable } from '@safekeep/postgres';
import type { Condition, HoldId, RecordKey } from '../model.ts';
import { type HoldTable, type Predicate } from './tables.ts';

/** What of the asked things a hold stands on, by their places in the question, from 0. */
export type Match = { readonly id: HoldId; readonly place: number };

type AskingState = { readonly isTenant: boolean | null; readonly isTransaction: boolean | null };

/**
 * Keeps holds from being placed until the transaction ends, unless one only looks. What is sent behind it is carried out behind the lock.
 *
 * Throws a plain error, for it is a bug of the caller, where there is no transaction, or it is not one of the tenant: row
 * security would then hide every hold, and everything would seem free.
 */
export async function beginAsking(
  client: pg.ClientBase,
  tenant: string,
  { looksOnly }: { readonly looksOnly: boolean },
): Promise<void> {
  const mark = newId<'question'>();
  const [, { rows }] = await together(client, [
    () =>
      client.query(
        `select case when not $3 then safekeep.lock_holds($1, false) end, pg_catalog.set_config('safekeep.holds_question', $2, true)`,
        [tenant, mark, looksOnly],
      ),
    () =>
      client.query<AskingState>(
        `select safekeep.current_tenant() = $1 as "isTenant", pg_catalog.current_setting('safekeep.holds_question', true) = $2 as "isTransaction"`,
        [tenant, mark],
      ),
  ]);
  const [state] = rows;
  if (state?.isTransaction !== true) throw new Error('Holds must be asked for in the transaction that destroys');
  if (state.isTenant !== true) throw new Error('Holds must be asked for in a transaction of their tenant (safekeep.tenant)');
}

export async function matchPeople(
  db: Queryable,
  tenant: string,
  people: { readonly types: readonly string[]; readonly keys: readonly string[] },
): Promise<readonly Match[]> {
  const { rows } = await db.query(
    `select h.hold_id as id, (asked.place - 1)::integer as place
       from rows from (pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[])) with ordinality as asked (type, key, place)
       join safekeep.standing_holds as h on h.tenant_id = $1 and h.kind = 'subject' and h.subject_type = asked.type and h.subject_key = asked.key`,
    [tenant, people.types, people.keys],
  );
  // The statement above names these columns.
  return rows as readonly Match[];
}

export type TableHold = {
  readonly id: HoldId;
  readonly kind: 'subject' | 'row' | 'query';
  readonly condition: Condition | null;
  /** The table that it was placed on, an heir of this one or its parent perhaps, tells its rows apart by the same columns. */
  readonly isSameKey: boolean;
};

/** The standing holds that stand on rows of a table. */
export async function holdsOn(db: Queryable, tenant: string, table: HoldTable): Promise<readonly TableHold[]> {
  const { rows } = await db.query(
    `select h.hold_id as id, h.kind, h.condition, k.names is not distinct from $3::text[] as "isSameKey"
       from safekeep.holds_on($1, $2::pg_catalog.oid::pg_catalog.regclass) as h
      cross join lateral (
        select coalesce(pg_catalog.array_agg(a.attname::text order by part.place), '{}') as names
          from pg_catalog.pg_index as i
         cross join lateral pg_catalog.unnest(i.indkey::pg_catalog.int2[]) with ordinality as part (number, place)
          join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = part.number
         where i.indisprimary
           and i.indrelid = coalesce(pg_catalog.to_regclass(pg_catalog.format('%I.%I', h.table_schema, h.table_name))::pg_catalog.oid, h.table_oid)
      ) as k`,
    [tenant, table.oid, table.key.map(({ name }) => name)],
  );
  // The statement above names these columns.
  return rows as readonly TableHold[];
}

/** By the keys that were noted when the holds were placed. */
export async function matchKeys(
  db: Queryable,
  tenant: string,
  { holds, keys }: { readonly holds: readonly HoldId[]; readonly keys: readonly string[] },
): Promise<readonly Match[]> {
  const { rows } = await db.query(
    `select r.hold_id as id, (asked.place - 1)::integer as place
       from pg_catalog.unnest($3::text[]) with ordinality as asked (row_key, place)
       join safekeep.hold_rows as r on r.tenant_id = $1 and r.row_key = asked.row_key
      where r.hold_id = any ($2::uuid[])`,
    [tenant, holds, keys],
  );
  // The statement above names these columns.
  return rows as readonly Match[];
}

/** By what the rows contain now. Places of the rows that the condition finds. */
export async function matchCondition(
  db: Queryable,
  table: HoldTable,
  { found, keys }: { readonly found: Predicate; readonly keys: readonly RecordKey[] },
): Promise<readonly number[]> {
  const names = table.key.map(({ name }) => pg.escapeIdentifier(name));
  const arrays = table.key.map((_, part) => `pg_catalog.unnest($${part + 2}::text[])`);
  const parts = table.key.map((_, part) => `part${part}`);
  const equal = table.key.map(({ type }, part) => `held.${names[part] ?? ''} = asked.part${part}::${type}`);
  const { rows } = await db.query(
    `select (asked.place - 1)::integer as place
       from rows from (${arrays.join(', ')}) with ordinality as asked (${parts.join(', ')}, place)
       join (select ${names.join(', ')} from ${quoteTable(table)} where ${found.predicate}) as held on ${equal.join(' and ')}`,
    [found.operands, ...table.key.map((_, part) => keys.map((key) => key[part]))],
  );
  // The statement above names this column.
  return (rows as readonly { readonly place: number }[]).map(({ place }) => place);
}

export async function standingIds(db: Queryable, tenant: string, kind: 'subject' | 'any'): Promise<readonly HoldId[]> {
  const { rows } = await db.query(
    `select hold_id as id from safekeep.standing_holds where tenant_id = $1 and ($2 = 'any' or kind = $2)`,
    [tenant, kind],
  );
  // The statement above names this column.
  return (rows as readonly { readonly id: HoldId }[]).map(({ id }) => id);
}
