import type pg from 'pg';
import type { FollowPlan, FollowState, TakenForeignKey } from '../model.ts';

export type FollowRow = {
  readonly runId: string;
  readonly state: FollowState;
  readonly changelogId: string;
  readonly position: number;
  readonly rowsApplied: number;
  readonly plan: FollowPlan;
  readonly foreignKeys: readonly TakenForeignKey[];
  readonly wayBackUntil: Date | null;
};

export type NewFollow = {
  readonly runId: string;
  readonly changelogId: string;
  readonly position: number;
  readonly plan: FollowPlan;
  readonly foreignKeys: readonly TakenForeignKey[];
  readonly startedAt: Date;
};

export async function insertFollow(client: pg.ClientBase, tenant: string, follow: NewFollow): Promise<void> {
  await client.query(
    `INSERT INTO safekeep.import_follows (tenant_id, run_id, state, changelog_id, position, plan, foreign_keys, started_at)
     VALUES ($1, $2, 'following', $3, $4, $5, $6, $7)`,
    [
      tenant,
      follow.runId,
      follow.changelogId,
      follow.position,
      JSON.stringify(follow.plan),
      JSON.stringify(follow.foreignKeys),
      follow.startedAt,
    ],
  );
}

/** Locks the row to the end of the transaction: two that catch up at once take turns. */
export async function readFollow(client: pg.ClientBase, tenant: string, runId: string): Promise<FollowRow | undefined> {
  const { rows } = await client.query<FollowRow>(
    `SELECT run_id AS "runId", state, changelog_id AS "changelogId", position::float8 AS position, rows_applied::float8 AS "rowsApplied", plan,
            foreign_keys AS "foreignKeys", way_back_until AS "wayBackUntil"
       FROM safekeep.import_follows WHERE tenant_id = $1 AND run_id = $2 FOR UPDATE`,
    [tenant, runId],
  );
  return rows[0];
}

export async function movePosition(
  client: pg.ClientBase,
  tenant: string,
  move: { readonly runId: string; readonly position: number; readonly rows: number; readonly at: Date },
): Promise<void> {
  await client.query(
    `UPDATE safekeep.import_follows SET position = $3, rows_applied = rows_applied + $4, caught_up_at = $5 WHERE tenant_id = $1 AND run_id = $2`,
    [tenant, move.runId, move.position, move.rows, move.at],
  );
}

export async function markCutOver(
  client: pg.ClientBase,
  tenant: string,
  mark: { readonly runId: string; readonly at: Date; readonly wayBackUntil: Date | null },
): Promise<void> {
  await client.query(
    `UPDATE safekeep.import_follows SET state = 'cut-over', cut_over_at = $3, way_back_until = $4 WHERE tenant_id = $1 AND run_id = $2`,
    [tenant, mark.runId, mark.at, mark.wayBackUntil],
  );
}

export async function markHandedBack(client: pg.ClientBase, tenant: string, runId: string): Promise<void> {
  await client.query(`UPDATE safekeep.import_follows SET state = 'handed-back' WHERE tenant_id = $1 AND run_id = $2`, [
    tenant,
    runId,
  ]);
}

export async function deleteFollow(client: pg.ClientBase, tenant: string, runId: string): Promise<void> {
  await client.query(`DELETE FROM safekeep.import_follows WHERE tenant_id = $1 AND run_id = $2`, [tenant, runId]);
}

/** Whether a changelog belongs to a run of this database. */
export async function isFollowed(client: pg.ClientBase, tenant: string, changelogId: string): Promise<boolean> {
  const { rowCount } = await client.query('SELECT FROM safekeep.import_follows WHERE tenant_id = $1 AND changelog_id = $2', [
    tenant,
    changelogId,
  ]);
  return rowCount !== 0;
}
