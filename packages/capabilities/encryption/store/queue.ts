import { newId } from '@safekeep/core';
import type { Queryable } from '@safekeep/postgres';
import type { Fate } from '../model.ts';

export type QueuedShred = { readonly type: string; readonly key: string; readonly fates: readonly Fate[] };

/** Once for each person; asked for again, it covers both. */
export async function queueShred(db: Queryable, tenant: string, { type, key, fates }: QueuedShred, at: Date): Promise<void> {
  await db.query(
    `insert into safekeep.encryption_shred_queue as q (tenant_id, queue_id, subject_type, subject_key, fates, requested_at)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (tenant_id, subject_type, subject_key) do update
       set fates = array(select distinct f from pg_catalog.unnest(q.fates || excluded.fates) as f order by f), due = false`,
    [tenant, newId<'queued-shred'>(), type, key, fates, at],
  );
}

export async function removeShred(db: Queryable, tenant: string, { type, key, fates }: QueuedShred): Promise<void> {
  await db.query(
    'delete from safekeep.encryption_shred_queue where tenant_id = $1 and subject_type = $2 and subject_key = $3 and fates <@ $4::text[]',
    [tenant, type, key, fates],
  );
}

/** After a release; a hold on rows may have been in anybody's way. */
export async function makeDue(
  db: Queryable,
  tenant: string,
  person: { readonly type: string; readonly key: string } | null,
): Promise<number> {
  const { rows } = await db.query(
    `update safekeep.encryption_shred_queue set due = true
      where tenant_id = $1 and ($2::text is null or (subject_type = $2 and subject_key = $3)) returning 1`,
    [tenant, person?.type ?? null, person?.key ?? null],
  );
  return rows.length;
}

export async function readQueue(db: Queryable, tenant: string, limit: number): Promise<readonly QueuedShred[]> {
  const { rows } = await db.query(
    'select subject_type as type, subject_key as key, fates from safekeep.encryption_shred_queue where tenant_id = $1 order by due desc, requested_at limit $2',
    [tenant, limit],
  );
  return rows as readonly QueuedShred[]; // The statement names these columns.
}
