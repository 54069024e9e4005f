import type pg from 'pg';
import type { Signature } from '@safekeep/crypto';
import { setTenant } from '@safekeep/postgres';
import type { ImportResult, RunState } from '../model.ts';
import type { DigestForm } from '../prove/digest-form.ts';

export type RunRow = {
  readonly run_id: string;
  readonly state: RunState;
  readonly source: string;
  readonly source_sha256: string | null;
  readonly target_schema: string;
  readonly build_schema: string;
  readonly kept_schema: string | null;
  readonly started_at: Date;
  readonly finished_at: Date | null;
  readonly result: ImportResult | null;
  readonly failure: string | null;
};

export type NewRun = {
  readonly runId: string;
  readonly source: string;
  readonly targetSchema: string;
  readonly buildSchema: string;
  readonly options: object;
  readonly startedAt: Date;
};

export type ProvenTable = {
  readonly source: string;
  readonly target: string;
  readonly rowsRead: number;
  readonly rowsWritten: number;
  readonly quarantined: number;
  readonly sourceDigest: string | null;
  readonly targetDigest: string | null;
  readonly form: DigestForm;
};

export type QuarantinedRow = {
  readonly source: string;
  readonly ordinal: number;
  readonly rowid: bigint | null;
  readonly columns: readonly string[];
  readonly record: Uint8Array;
};

/**
 * Runs `action` in one transaction that row security binds to the tenant. Without a rollback, unlike the one of all others: on a
 * connection whose COPY was cut off a rollback would wait for ever, so whoever lent the connection throws it away.
 */
export async function inTenant<Result>(client: pg.ClientBase, tenant: string, action: () => Promise<Result>): Promise<Result> {
  await client.query('BEGIN');
  await setTenant(client, tenant);
  const result = await action();
  await client.query('COMMIT');
  return result;
}

export async function insertRun(client: pg.ClientBase, tenant: string, run: NewRun): Promise<void> {
  await client.query(
    `INSERT INTO safekeep.import_runs (tenant_id, run_id, state, source, target_schema, build_schema, options, started_at)
     VALUES ($1, $2, 'planned', $3, $4, $5, $6, $7)`,
    [tenant, run.runId, run.source, run.targetSchema, run.buildSchema, JSON.stringify(run.options), run.startedAt],
  );
}

export async function updateRunState(
  client: pg.ClientBase,
  tenant: string,
  run: { readonly runId: string; readonly state: RunState },
): Promise<void> {
  await client.query('UPDATE safekeep.import_runs SET state = $3 WHERE tenant_id = $1 AND run_id = $2', [
    tenant,
    run.runId,
    run.state,
  ]);
}

export type RunEnd = {
  readonly runId: string;
  readonly state: RunState;
  readonly finishedAt: Date;
  readonly keptSchema?: string | null;
  readonly result?: ImportResult;
  readonly signature?: Signature;
  readonly failure?: string;
};

export async function endRun(client: pg.ClientBase, tenant: string, end: RunEnd): Promise<void> {
  const { result } = end;
  await client.query(
    `UPDATE safekeep.import_runs
        SET state = $3, finished_at = $4, kept_schema = coalesce($5, kept_schema), result = coalesce($6::jsonb, result),
            signature = coalesce($7::jsonb, signature), source_sha256 = coalesce($8, source_sha256),
            source_bytes = coalesce($9::bigint, source_bytes), failure = $10
      WHERE tenant_id = $1 AND run_id = $2`,
    [
      tenant,
      end.runId,
      end.state,
      end.finishedAt,
      end.keptSchema ?? null,
      result === undefined ? null : JSON.stringify(result),
      end.signature === undefined ? null : JSON.stringify(end.signature),
      result?.source.sha256 ?? null,
      result?.source.sizeBytes ?? null,
      end.failure ?? null,
    ],
  );
}

export async function insertTables(
  client: pg.ClientBase,
  tenant: string,
  runId: string,
  tables: readonly ProvenTable[],
): Promise<void> {
  for (const table of tables) {
    await client.query(
      `INSERT INTO safekeep.import_tables (tenant_id, run_id, source, target, rows_read, rows_written, quarantined, source_digest, target_digest, form)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        tenant,
        runId,
        table.source,
        table.target,
        table.rowsRead,
        table.rowsWritten,
        table.quarantined,
        table.sourceDigest,
        table.targetDigest,
        JSON.stringify(table.form),
      ],
    );
  }
}

export async function readTables(client: pg.ClientBase, tenant: string, runId: string): Promise<ProvenTable[]> {
  const { rows } = await client.query<ProvenTable>(
    `SELECT source, target, rows_read::float8 AS "rowsRead", rows_written::float8 AS "rowsWritten", quarantined::float8 AS quarantined,
            source_digest AS "sourceDigest", target_digest AS "targetDigest", form
       FROM safekeep.import_tables WHERE tenant_id = $1 AND run_id = $2 ORDER BY source`,
    [tenant, runId],
  );
  return rows;
}

export async function insertQuarantine(client: pg.ClientBase, tenant: string, runId: string, row: QuarantinedRow): Promise<void> {
  await client.query(
    'INSERT INTO safekeep.import_quarantine (tenant_id, run_id, source, ordinal, rowid, columns, record) VALUES ($1, $2, $3, $4, $5, $6, $7)',
    [tenant, runId, row.source, row.ordinal, row.rowid, row.columns, row.record],
  );
}

/** Places of the rows in quarantine, by source table. */
export async function readQuarantined(
  client: pg.ClientBase,
  tenant: string,
  runId: string,
): Promise<{ readonly source: string; readonly ordinal: number }[]> {
  const { rows } = await client.query<{ source: string; ordinal: number }>(
    'SELECT source, ordinal::float8 AS ordinal FROM safekeep.import_quarantine WHERE tenant_id = $1 AND run_id = $2',
    [tenant, runId],
  );
  return rows;
}

const RUN_COLUMNS =
  'run_id, state, source, source_sha256, target_schema, build_schema, kept_schema, started_at, finished_at, result, failure';

/** Newest first. */
export async function readRuns(client: pg.ClientBase, tenant: string, limit: number): Promise<RunRow[]> {
  const { rows } = await client.query<RunRow>(
    `SELECT ${RUN_COLUMNS} FROM safekeep.import_runs WHERE tenant_id = $1 ORDER BY run_id DESC LIMIT $2`,
    [tenant, limit],
  );
  return rows;
}

export async function readRun(client: pg.ClientBase, tenant: string, runId: string): Promise<RunRow | undefined> {
  const { rows } = await client.query<RunRow>(
    `SELECT ${RUN_COLUMNS} FROM safekeep.import_runs WHERE tenant_id = $1 AND run_id = $2`,
    [tenant, runId],
  );
  return rows[0];
}

/** Runs into this schema that did not come to an end: whoever holds the schema's lease knows that nobody works on them. */
export async function readUnfinishedRuns(client: pg.ClientBase, tenant: string, targetSchema: string): Promise<RunRow[]> {
  const { rows } = await client.query<RunRow>(
    `SELECT ${RUN_COLUMNS} FROM safekeep.import_runs
      WHERE tenant_id = $1 AND target_schema = $2 AND state IN ('planned', 'loading', 'verifying')`,
    [tenant, targetSchema],
  );
  return rows;
}
