import type pg from 'pg';
import type { Queryable } from '@safekeep/postgres';
import type { Epoch, EpochState } from '../model.ts';

type EpochRow = {
  readonly epoch: number;
  readonly state: EpochState;
  readonly kek_check: Buffer;
  readonly created_at: Date;
  readonly destroyed_at: Date | null;
};

/** Oldest first. */
export async function readEpochs(db: Queryable, tenant: string): Promise<readonly Epoch[]> {
  const { rows } = await db.query(
    'select epoch, state, kek_check, created_at, destroyed_at from safekeep.encryption_epochs where tenant_id = $1 order by epoch',
    [tenant],
  );
  // The statement names these columns.
  return (rows as readonly EpochRow[]).map(({ epoch, state, kek_check, created_at, destroyed_at }) => ({
    epoch,
    state,
    check: kek_check,
    createdAt: created_at,
    destroyedAt: destroyed_at,
  }));
}

/** False where it is there already. */
export async function insertEpoch(
  client: pg.ClientBase,
  tenant: string,
  { epoch, check, at }: { readonly epoch: number; readonly check: Buffer; readonly at: Date },
): Promise<boolean> {
  const { rowCount } = await client.query(
    `insert into safekeep.encryption_epochs (tenant_id, epoch, state, kek_check, created_at) values ($1, $2, 'current', $3, $4)
       on conflict do nothing`,
    [tenant, epoch, check, at],
  );
  return rowCount === 1;
}

export async function retireCurrent(client: pg.ClientBase, tenant: string, at: Date): Promise<void> {
  await client.query(
    "update safekeep.encryption_epochs set state = 'retiring', retired_at = $2 where tenant_id = $1 and state = 'current'",
    [tenant, at],
  );
}

export async function markDestroyed(
  client: pg.ClientBase,
  tenant: string,
  { epoch, at }: { readonly epoch: number; readonly at: Date },
): Promise<void> {
  await client.query(
    `update safekeep.encryption_epochs set state = 'destroyed', retired_at = coalesce(retired_at, $3), destroyed_at = $3
      where tenant_id = $1 and epoch = $2 and state <> 'destroyed'`,
    [tenant, epoch, at],
  );
}

/** Living keys that are still wrapped under another epoch than the current one. */
export async function countUnder(db: Queryable, tenant: string, epoch: number): Promise<number> {
  const { rows } = await db.query(
    "select count(*)::integer as count from safekeep.encryption_keys where tenant_id = $1 and epoch = $2 and state <> 'shredded'",
    [tenant, epoch],
  );
  const [counted] = rows as readonly { readonly count: number }[]; // As the statement says.
  return counted?.count ?? 0;
}
