import type pg from 'pg';
import type { Db } from 'pg-boss';
import type { Claim, JobId, JobRow, JobState, Json, ProgressReport } from '../model.ts';

export type NewJob = { readonly id: JobId; readonly payload: Json; readonly key: string | undefined };

type Form = { readonly kind: string; readonly version: number };

/** Inserts what is not there under its key already. Returns the ids that are new. */
export async function insertJobs(session: Db, tenant: string, form: Form, jobs: readonly NewJob[]): Promise<ReadonlySet<JobId>> {
  const { rows } = await session.executeSql(
    `insert into safekeep.jobs (tenant_id, job_id, kind, payload_version, payload, idempotency_key)
     select $1, j.id, $2, $3, j.payload, j.key from jsonb_to_recordset($4::jsonb) as j (id uuid, payload jsonb, key text)
     on conflict (tenant_id, kind, idempotency_key) do nothing
     returning job_id`,
    [tenant, form.kind, form.version, JSON.stringify(jobs)],
  );
  return new Set(rows.map(({ job_id: id }: { job_id: JobId }) => id));
}

export type KeyedJob = {
  readonly job_id: JobId;
  readonly idempotency_key: string;
  readonly payload: Json;
  readonly payload_version: number;
};

export async function findJobsByKey(
  session: Db,
  tenant: string,
  kind: string,
  keys: readonly string[],
): Promise<readonly KeyedJob[]> {
  const { rows }: { readonly rows: readonly KeyedJob[] } = await session.executeSql(
    `select job_id, idempotency_key, payload, payload_version from safekeep.jobs
      where tenant_id = $1 and kind = $2 and idempotency_key = any($3)`,
    [tenant, kind, keys],
  );
  return rows;
}

export type BegunJob = {
  readonly job_id: JobId;
  readonly attempt: number;
  readonly tries: number;
  readonly payload: Json;
  readonly payload_version: number;
  readonly checkpoint: Json | null;
  readonly error_code: string | null;
};

/**
 * Starts jobs that pg-boss has just given us: the attempt is counted before any work is done. Not started, and not
 * returned, are those whose row a zombie's transaction still holds, those that are over, and of the suspects (whose last
 * worker died of something) all but `suspects`.
 */
export async function beginJobs(
  client: pg.ClientBase,
  tenant: string,
  ids: readonly JobId[],
  limits: { readonly suspects: number; readonly suspectCode: string },
): Promise<readonly BegunJob[]> {
  const { rows } = await client.query<BegunJob>(
    `with held as (
       select job_id, error_code is not distinct from $4 as suspect from safekeep.jobs
        where tenant_id = $1 and job_id = any($2::uuid[]) and state in ('queued', 'failed', 'running')
        for update skip locked
     ), chosen as (
       select job_id from held where not suspect
       union all
       (select job_id from held where suspect order by job_id limit $3)
     )
     update safekeep.jobs set state = 'running', attempt = attempt + 1, tries = tries + 1, started_at = now(), finished_at = null,
            progress_rate = null
      where tenant_id = $1 and job_id in (select job_id from chosen)
     returning job_id, attempt, tries, payload, payload_version, checkpoint, error_code`,
    [tenant, ids, limits.suspects, limits.suspectCode],
  );
  return rows;
}

/** Of these ids, those of jobs that still have something to do. */
export async function findOpenJobs(client: pg.ClientBase, tenant: string, ids: readonly JobId[]): Promise<ReadonlySet<JobId>> {
  const { rows } = await client.query<{ job_id: JobId }>(
    `select job_id from safekeep.jobs
      where tenant_id = $1 and job_id = any($2::uuid[]) and state in ('queued', 'failed', 'running')`,
    [tenant, ids],
  );
  return new Set(rows.map(({ job_id: id }) => id));
}

export type DoneJob = {
  readonly id: JobId;
  readonly attempt: number;
  readonly result: Json | null;
  readonly progress: ProgressReport | undefined;
};

/** Returns the ids whose attempt still was the one that runs; the others were lost and nothing of them is written. */
export async function finishJobs(session: Db, tenant: string, jobs: readonly DoneJob[]): Promise<ReadonlySet<JobId>> {
  const { rows } = await session.executeSql(
    `update safekeep.jobs as t
        set state = 'done', finished_at = now(), result = d.result, error_code = null, error_message = null,
            progress_done = coalesce((d.progress ->> 'done')::bigint, t.progress_done),
            progress_total = coalesce((d.progress ->> 'total')::bigint, t.progress_total),
            progress_rate = coalesce((d.progress ->> 'rate')::float8, t.progress_rate)
       from jsonb_to_recordset($2::jsonb) as d (id uuid, attempt integer, result jsonb, progress jsonb)
      where t.tenant_id = $1 and t.job_id = d.id and t.attempt = d.attempt and t.state = 'running'
     returning t.job_id`,
    [tenant, JSON.stringify(jobs)],
  );
  return new Set(rows.map(({ job_id: id }: { job_id: JobId }) => id));
}

/** The end of an attempt that is not the end of the work. `error` undefined: it was handed back unharmed and does not count. */
export type Interruption = {
  readonly state: 'queued' | 'failed' | 'dead';
  readonly error: { readonly code: string; readonly message: string } | undefined;
  readonly progress?: ProgressReport | undefined;
};

/** False when the attempt is no longer the one that runs. */
export async function interruptJob(
  client: pg.ClientBase,
  { tenant, id, attempt }: Claim,
  { state, error, progress }: Interruption,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `update safekeep.jobs
        set state = $4, tries = case when $5::text is null then greatest(tries - 1, 0) else tries end,
            error_code = coalesce($5, error_code), error_message = coalesce($6, error_message),
            finished_at = case when $4 = 'dead' then now() end, progress_rate = null,
            progress_done = coalesce($7, progress_done), progress_total = coalesce($8, progress_total)
      where tenant_id = $1 and job_id = $2 and attempt = $3 and state = 'running'`,
    [tenant, id, attempt, state, error?.code ?? null, error?.message ?? null, progress?.done ?? null, progress?.total ?? null],
  );
  return rowCount === 1;
}

/** False when the attempt is no longer the one that runs. Locks the row until the end of the session's transaction. */
export async function writeCheckpoint(session: Db, { tenant, id, attempt }: Claim, value: Json): Promise<boolean> {
  const { rows } = await session.executeSql(
    `update safekeep.jobs set checkpoint = $4 where tenant_id = $1 and job_id = $2 and attempt = $3 and state = 'running' returning job_id`,
    [tenant, id, attempt, JSON.stringify(value)],
  );
  return rows.length === 1;
}

export type ReportedJob = ProgressReport & { readonly id: JobId; readonly attempt: number };

/** A row that a handler's transaction holds is left out: it is written with the next look. */
export async function writeProgress(client: pg.ClientBase, tenant: string, reports: readonly ReportedJob[]): Promise<void> {
  await client.query(
    `with free as (
       select job_id from safekeep.jobs where tenant_id = $1 and job_id = any($3::uuid[]) and state = 'running' for update skip locked
     )
     update safekeep.jobs as t set progress_done = p.done, progress_total = p.total, progress_rate = p.rate
       from jsonb_to_recordset($2::jsonb) as p (id uuid, attempt integer, done bigint, total bigint, rate float8)
      where t.tenant_id = $1 and t.job_id = p.id and t.attempt = p.attempt and t.job_id in (select job_id from free)`,
    [tenant, JSON.stringify(reports), reports.map(({ id }) => id)],
  );
}

// progress_*: float8, because pg gives a bigint as text; counts are far below 2^53.
const COLUMNS = `job_id, tenant_id, kind, state, attempt, progress_done::float8, progress_total::float8, progress_rate, created_at,
  started_at, finished_at, error_code, error_message`;

export type ListFilter = {
  readonly state: JobState | null;
  readonly kind: string | null;
  readonly limit: number;
  readonly before: JobId | null;
};

/** Newest first. */
export async function listJobs(
  client: pg.ClientBase,
  tenant: string,
  { state, kind, limit, before }: ListFilter,
): Promise<readonly JobRow[]> {
  const { rows } = await client.query<JobRow>(
    `select ${COLUMNS} from safekeep.jobs
      where tenant_id = $1 and ($2::text is null or state = $2) and ($3::text is null or kind = $3) and ($4::uuid is null or job_id < $4)
      order by job_id desc limit $5`,
    [tenant, state, kind, before, limit],
  );
  return rows;
}

export async function readJob(client: pg.ClientBase, tenant: string, id: JobId): Promise<JobRow | undefined> {
  const { rows } = await client.query<JobRow>(
    `select ${COLUMNS}, checkpoint, result from safekeep.jobs where tenant_id = $1 and job_id = $2`,
    [tenant, id],
  );
  return rows[0];
}

/** The row, locked to the end of the transaction. Waits no longer than `waitMs` for whoever holds it (SQLSTATE 55P03). */
export async function lockJob(
  client: pg.ClientBase,
  tenant: string,
  id: JobId,
  waitMs: number,
): Promise<Pick<JobRow, 'kind' | 'state' | 'attempt'> | undefined> {
  await client.query("select set_config('lock_timeout', $1, true)", [String(waitMs)]);
  const { rows } = await client.query<Pick<JobRow, 'kind' | 'state' | 'attempt'>>(
    'select kind, state, attempt from safekeep.jobs where tenant_id = $1 and job_id = $2 for update',
    [tenant, id],
  );
  return rows[0];
}

/** The row, locked, unless somebody's transaction holds it. `exists` false: there is none. */
export async function lockIfFree(
  client: pg.ClientBase,
  tenant: string,
  id: JobId,
): Promise<{ readonly exists: boolean; readonly row: LockedJob | undefined }> {
  const where = 'from safekeep.jobs where tenant_id = $1 and job_id = $2';
  const { rows } = await client.query<LockedJob>(`select state, attempt, tries ${where} for update skip locked`, [tenant, id]);
  const [row] = rows;
  if (row !== undefined) return { exists: true, row };
  const { rowCount } = await client.query(`select ${where}`, [tenant, id]);
  return { exists: rowCount === 1, row: undefined };
}

export type LockedJob = { readonly state: JobState; readonly attempt: number; readonly tries: number };

export async function markCancelled(client: pg.ClientBase, tenant: string, id: JobId): Promise<void> {
  await client.query("update safekeep.jobs set state = 'cancelled', finished_at = now() where tenant_id = $1 and job_id = $2", [
    tenant,
    id,
  ]);
}

/** The checkpoint stays: the next attempt goes on from there. */
export async function markQueued(client: pg.ClientBase, tenant: string, id: JobId): Promise<void> {
  await client.query(
    `update safekeep.jobs set state = 'queued', tries = 0, finished_at = null, error_code = null, error_message = null
      where tenant_id = $1 and job_id = $2`,
    [tenant, id],
  );
}

/** Forgets done and cancelled jobs with ids below `before` (ids are in order of time). Returns how many, at most `limit`. */
export async function deleteFinished(client: pg.ClientBase, tenant: string, before: JobId, limit: number): Promise<number> {
  const { rowCount } = await client.query(
    `delete from safekeep.jobs where tenant_id = $1 and job_id in (
       select job_id from safekeep.jobs where tenant_id = $1 and job_id < $2 and state in ('done', 'cancelled') order by job_id limit $3
     )`,
    [tenant, before, limit],
  );
  return rowCount ?? 0;
}

/** The smallest id a job made at this moment can have: a UUIDv7 begins with its milliseconds (RFC 9562, 5.7). */
export function idsBefore(moment: Date): JobId {
  const hex = Math.max(0, moment.getTime()).toString(16).padStart(12, '0');
  // A boundary to compare with; no job bears it.
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000` as JobId;
}
