import type pg from 'pg';
import { formatTableName, newId } from '@safekeep/core';
import { quoteTable, type Queryable } from '@safekeep/postgres';
import type { Condition, Hold, HoldHistory, HoldId } from '../model.ts';
import { keyText, type HoldTable, type Predicate } from './tables.ts';

export type NewHold = Pick<
  Hold,
  | 'id'
  | 'kind'
  | 'target'
  | 'person'
  | 'condition'
  | 'reason'
  | 'owner'
  | 'reviewBy'
  | 'concerns'
  | 'rows'
  | 'placedBy'
  | 'placedAt'
>;

/** Waits until nothing is being destroyed any more, `timeoutMs` at most (then SQLSTATE 55P03), and keeps it so. */
export async function lockForPlacing(client: pg.ClientBase, tenant: string, timeoutMs: number): Promise<void> {
  await client.query("select pg_catalog.set_config('lock_timeout', $1, true)", [`${timeoutMs}ms`]);
  await client.query('select safekeep.lock_holds($1, true)', [tenant]);
}

export async function insertHold(
  client: pg.ClientBase,
  tenant: string,
  { hold, table }: { readonly hold: NewHold; readonly table: HoldTable },
): Promise<void> {
  await client.query(
    `insert into safekeep.holds (tenant_id, hold_id, kind, target, subject_type, subject_key, table_schema, table_name, table_oid, condition,
       row_count, reason, owner, review_by, concerns_from, concerns_until, placed_by, placed_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
    [
      tenant,
      hold.id,
      hold.kind,
      hold.target,
      hold.person?.type,
      hold.person?.key,
      table.schema,
      table.table,
      table.oid,
      hold.condition === null ? null : JSON.stringify(hold.condition),
      hold.rows,
      hold.reason,
      hold.owner,
      hold.reviewBy,
      hold.concerns.from,
      hold.concerns.until,
      hold.placedBy,
      hold.placedAt,
    ],
  );
}

export async function insertHoldRow(
  client: pg.ClientBase,
  tenant: string,
  row: { readonly hold: HoldId; readonly key: string },
): Promise<void> {
  await client.query('insert into safekeep.hold_rows (tenant_id, hold_id, row_key) values ($1, $2, $3)', [
    tenant,
    row.hold,
    row.key,
  ]);
}

/** Notes every row that the condition finds now, under one key those of a table and of one that inherits from it. Returns how many. */
export async function insertMatchingRows(
  client: pg.ClientBase,
  tenant: string,
  { hold, table, found }: { readonly hold: HoldId; readonly table: HoldTable; readonly found: Predicate },
): Promise<number> {
  const { rowCount } = await client.query(
    `insert into safekeep.hold_rows (tenant_id, hold_id, row_key)
     select $2, $3, ${keyText(table.key)} from ${quoteTable(table)} where ${found.predicate} on conflict do nothing`,
    [found.operands, tenant, hold],
  );
  return rowCount ?? 0;
}

/** False where it was released before. */
export async function insertRelease(
  client: pg.ClientBase,
  tenant: string,
  { hold, by, at, reason }: { readonly hold: HoldId; readonly by: string; readonly at: Date; readonly reason: string },
): Promise<boolean> {
  const { rowCount } = await client.query(
    `insert into safekeep.hold_releases (tenant_id, hold_id, reason, released_by, released_at) values ($1, $2, $3, $4, $5)
     on conflict (tenant_id, hold_id) do nothing`,
    [tenant, hold, reason, by, at],
  );
  return rowCount === 1;
}

export async function insertReview(
  client: pg.ClientBase,
  tenant: string,
  {
    hold,
    reviewBy,
    by,
    at,
    reason,
  }: { readonly hold: HoldId; readonly reviewBy: string; readonly by: string; readonly at: Date; readonly reason: string },
): Promise<void> {
  await client.query(
    `insert into safekeep.hold_reviews (tenant_id, review_id, hold_id, review_by, reason, reviewed_by, reviewed_at)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [tenant, newId<'hold-review'>(), hold, reviewBy, reason, by, at],
  );
}

export type HoldFilter = {
  /** Only these. */
  readonly ids?: readonly string[];
  readonly released?: boolean;
  /** Standing ones whose review was due before this day. */
  readonly overdueOn?: string;
  readonly person?: { readonly type: string; readonly key: string };
  /** Placed before the one of this id. */
  readonly before?: HoldId;
  readonly limit?: number;
};

/** Newest first. */
export async function readHolds(db: Queryable, tenant: string, filter: HoldFilter): Promise<readonly Hold[]> {
  const { rows } = await db.query(
    `select h.hold_id as id, h.kind, h.target, h.subject_type, h.subject_key, h.table_schema, h.table_name, h.condition, h.row_count,
            h.reason, h.owner, coalesce(last.review_by, h.review_by)::text as review_by, h.concerns_from, h.concerns_until,
            h.placed_by, h.placed_at, r.released_by, r.released_at, r.reason as release_reason
       from safekeep.holds as h
       left join safekeep.hold_releases as r on r.tenant_id = h.tenant_id and r.hold_id = h.hold_id
       left join lateral (select review_by from safekeep.hold_reviews as v where v.tenant_id = h.tenant_id and v.hold_id = h.hold_id
                           order by v.reviewed_at desc, v.review_id desc limit 1) as last on true
      where h.tenant_id = $1
        and ($2::uuid[] is null or h.hold_id = any ($2))
        and ($3::boolean is null or (r.released_at is not null) = $3)
        and ($4::date is null or r.released_at is null and coalesce(last.review_by, h.review_by) < $4)
        and ($5::text is null or h.kind = 'subject' and h.subject_type = $5 and h.subject_key = $6)
        and ($7::uuid is null or h.hold_id < $7)
      order by h.hold_id desc limit $8`,
    [tenant, filter.ids, filter.released, filter.overdueOn, filter.person?.type, filter.person?.key, filter.before, filter.limit],
  );
  // The statement above names these columns; their types are those of the migration.
  return (rows as readonly HoldRow[]).map(holdOf);
}

type HoldRow = {
  readonly id: HoldId;
  readonly kind: Hold['kind'];
  readonly target: string;
  readonly subject_type: string | null;
  readonly subject_key: string | null;
  readonly table_schema: string;
  readonly table_name: string;
  readonly condition: Condition | null;
  readonly row_count: string;
  readonly reason: string;
  readonly owner: string;
  readonly review_by: string;
  readonly concerns_from: Date | null;
  readonly concerns_until: Date | null;
  readonly placed_by: string;
  readonly placed_at: Date;
  readonly released_by: string | null;
  readonly released_at: Date | null;
  readonly release_reason: string | null;
};

function holdOf(row: HoldRow): Hold {
  const { id, kind, target, condition, reason, owner } = row;
  return {
    id,
    kind,
    target,
    person: row.subject_type === null || row.subject_key === null ? null : { type: row.subject_type, key: row.subject_key },
    table: formatTableName({ schema: row.table_schema, table: row.table_name }),
    condition,
    reason,
    owner,
    reviewBy: row.review_by,
    concerns: { from: row.concerns_from, until: row.concerns_until },
    rows: Number(row.row_count),
    placedBy: row.placed_by,
    placedAt: row.placed_at,
    release: row.released_at === null ? null : { by: row.released_by ?? '', at: row.released_at, reason: row.release_reason ?? '' },
  };
}

/** Oldest first. */
export async function readEvents(db: Queryable, tenant: string, hold: HoldId): Promise<HoldHistory['events']> {
  const { rows } = await db.query(
    `select at, event, by, reason, review_by::text as "reviewBy" from (
       select placed_at as at, 'placed' as event, placed_by as by, reason, review_by, 0 as place from safekeep.holds where tenant_id = $1 and hold_id = $2
       union all
       select reviewed_at, 'reviewed', reviewed_by, reason, review_by, 1 from safekeep.hold_reviews where tenant_id = $1 and hold_id = $2
       union all
       select released_at, 'released', released_by, reason, null, 2 from safekeep.hold_releases where tenant_id = $1 and hold_id = $2
     ) as events order by place, at`,
    [tenant, hold],
  );
  // The statement above names these columns.
  return (rows as readonly (Omit<HoldHistory['events'][number], 'at'> & { readonly at: Date })[]).map((event) => ({
    ...event,
    at: event.at.toISOString(),
  }));
}
