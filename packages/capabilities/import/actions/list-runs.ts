import type { ImportResult, RunState } from '../model.ts';
import { inTenant, readRuns } from '../store/runs.ts';
import type { ImportContext } from './import-context.ts';
import { findRun } from '../store/find-run.ts';

export type RunSummary = {
  readonly runId: string;
  readonly state: RunState;
  readonly source: string;
  readonly schema: string;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly rows: number;
  readonly failure: string | null;
};

const LISTED_RUNS = 100;

/** The newest runs of the tenant. */
export async function listRuns({ database, tenant }: Pick<ImportContext, 'database' | 'tenant'>): Promise<RunSummary[]> {
  const runs = await database.withClient((client) => inTenant(client, tenant, () => readRuns(client, tenant, LISTED_RUNS)));
  return runs.map((run) => ({
    runId: run.run_id,
    state: run.state,
    source: run.source,
    schema: run.target_schema,
    startedAt: run.started_at.toISOString(),
    finishedAt: run.finished_at?.toISOString() ?? null,
    rows: (run.result?.tables ?? []).reduce((sum, table) => sum + table.rowsWritten, 0),
    failure: run.failure,
  }));
}

/** The whole result of a run; of one that never ended, what is known of it. */
export async function showRun(
  { database, tenant }: Pick<ImportContext, 'database' | 'tenant'>,
  runId: string,
): Promise<ImportResult> {
  const run = await database.withClient((client) => inTenant(client, tenant, () => findRun(client, tenant, runId)));
  const known: ImportResult = {
    runId: run.run_id,
    state: run.state,
    source: { file: run.source, sha256: run.source_sha256 ?? '', sizeBytes: 0, walBytes: 0, mode: '', checks: [] },
    schema: run.target_schema,
    verify: 'off',
    tables: [],
    objects: [],
    names: [],
    relations: [],
    rejected: 0,
    rejectedRows: [],
    differences: [],
    problems: run.failure === null ? [] : [run.failure],
    seconds: 0,
    phases: {},
    rowsPerSecond: 0,
  };
  return { ...known, ...run.result, state: run.state };
}
