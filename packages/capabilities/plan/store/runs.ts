import type pg from 'pg';
import type { RunOfTenant } from './records.ts';

export type NewRun = {
  readonly direction: 'apply' | 'unapply';
  readonly planSha256: string;
  readonly mapSha256: string | null;
  /** Of the tables that the steps touch. */
  readonly structure: string;
  readonly startedAt: Date;
  /** In their order: what each does, and the hash of it. */
  readonly steps: readonly { readonly step: string; readonly sha256: string }[];
};

export async function insertRun(client: pg.ClientBase, { tenant, runId }: RunOfTenant, run: NewRun): Promise<void> {
  await client.query(
    `insert into safekeep.apply_runs (tenant_id, run_id, direction, plan_sha256, map_sha256, left_structure, state, started_at)
     values ($1, $2, $3, $4, $5, $6, 'running', $7)`,
    [tenant, runId, run.direction, run.planSha256, run.mapSha256, run.structure, run.startedAt],
  );
  await client.query(
    `insert into safekeep.apply_steps (tenant_id, run_id, position, step, sha256, state)
     select $1, $2, position, step, sha256, 'planned'
       from rows from (jsonb_to_recordset($3::jsonb) as (step text, sha256 text)) with ordinality as steps (step, sha256, position)`,
    [tenant, runId, JSON.stringify(run.steps)],
  );
}

export type RunEnd = { readonly state: 'done' | 'failed'; readonly finishedAt: Date; readonly failure: string | null };

export async function endRun(client: pg.ClientBase, { tenant, runId }: RunOfTenant, end: RunEnd): Promise<void> {
  await client.query(
    'update safekeep.apply_runs set state = $3, finished_at = $4, failure = $5 where tenant_id = $1 and run_id = $2',
    [tenant, runId, end.state, end.finishedAt, end.failure],
  );
}

/** Whoever holds the lease knows that nobody works on a run that still says it runs: its process is gone. */
export async function markInterrupted(client: pg.ClientBase, tenant: string, at: Date): Promise<void> {
  await client.query(
    `update safekeep.apply_runs set state = 'interrupted', finished_at = $2, failure = 'the process ended in the middle of it'
      where tenant_id = $1 and state = 'running'`,
    [tenant, at],
  );
}

/** Written before a statement that runs alone: a kill leaves the mark. */
export async function startStep(
  client: pg.ClientBase,
  { tenant, runId }: RunOfTenant,
  step: { readonly position: number; readonly at: Date },
): Promise<void> {
  await client.query(
    `update safekeep.apply_steps set state = 'started', started_at = $4 where tenant_id = $1 and run_id = $2 and position = $3`,
    [tenant, runId, step.position, step.at],
  );
}

export type DoneStep = { readonly position: number; readonly startedAt: Date; readonly finishedAt: Date };

export async function finishSteps(client: pg.ClientBase, { tenant, runId }: RunOfTenant, done: readonly DoneStep[]): Promise<void> {
  await client.query(
    `update safekeep.apply_steps s set state = 'done', started_at = done."startedAt", finished_at = done."finishedAt"
       from jsonb_to_recordset($3::jsonb) as done (position integer, "startedAt" timestamptz, "finishedAt" timestamptz)
      where s.tenant_id = $1 and s.run_id = $2 and s.position = done.position`,
    [tenant, runId, JSON.stringify(done)],
  );
}

/** What the tables of the steps that are left look like now; null while one of them is being made and no transaction carries it. */
export async function updateLeftStructure(
  client: pg.ClientBase,
  { tenant, runId }: RunOfTenant,
  structure: string | null,
): Promise<void> {
  await client.query('update safekeep.apply_runs set left_structure = $3 where tenant_id = $1 and run_id = $2', [
    tenant,
    runId,
    structure,
  ]);
}

/** What an unfinished run left to do: hashes of its steps, and of the structure of their tables. */
export type LeftOver = { readonly steps: ReadonlySet<string>; readonly structure: string | null };

/**
 * What the newest run left undone, if it followed this plan with this map; no steps when it came to its end. Null when it
 * followed another: there is nothing to go on with.
 */
export async function readLeftOver(
  client: pg.ClientBase,
  tenant: string,
  plan: { readonly sha256: string; readonly mapSha256: string },
): Promise<LeftOver | null> {
  const { rows } = await client.query<{ steps: string[]; structure: string | null }>(
    `select array(select s.sha256 from safekeep.apply_steps s where s.tenant_id = $1 and s.run_id = r.run_id and s.state <> 'done') as steps,
            left_structure as structure
       from (select * from safekeep.apply_runs where tenant_id = $1 order by run_id desc limit 1) r
      where r.plan_sha256 = $2 and r.map_sha256 = $3`,
    [tenant, plan.sha256, plan.mapSha256],
  );
  const [row] = rows;
  return row === undefined ? null : { steps: new Set(row.steps), structure: row.structure };
}
