import { existsSync } from 'node:fs';
import { SafekeepError } from '@safekeep/core';
import type { ImportResult } from '../model.ts';
import { readSourceSchema } from '../objects/index.ts';
import { loadedColumns } from '../rules.ts';
import { tableReading } from '../source/open-table.ts';
import { inTenant, readQuarantined, readTables, type ProvenTable, type RunRow } from '../store/runs.ts';
import { findRun, requireDone } from '../store/find-run.ts';
import type { ImportContext } from './import-context.ts';
import { askDigests, digestTables, proofProblems, proveTables, type Pair, type Proof } from './prove-tables.ts';
import { withProof } from './result.ts';
import { Phases } from './phases.ts';
import { withSource } from './with-source.ts';

/**
 * Proves a finished import again, as both databases are now. With the SQLite file at its old place (and unchanged, by its
 * SHA-256) both sides are read; without it the target is compared with the digests of the source that the run recorded.
 */
export async function verifyRun(
  context: Pick<ImportContext, 'clock' | 'database' | 'tenant'>,
  runId: string,
): Promise<{ readonly result: ImportResult; readonly ok: boolean }> {
  const { run, tables, pairs } = await readProvenRun(context, runId);
  requireDone(run, 'verifying');
  if (run.result === null) throw new Error(`The run ${run.run_id} is done and has no result`);
  const phases = new Phases(context.clock);
  const target = { database: context.database, schema: run.target_schema };
  const proof = await phases.measure('verify', () =>
    existsSync(run.source) ? proveAgainstFile(run, pairs, target) : proveAgainstRecord(tables, pairs, target),
  );
  const problems = proofProblems(proof);
  const result = {
    ...withProof(run.result, proof),
    problems,
    verify: 'full' as const,
    seconds: phases.total(),
    phases: phases.seconds,
  };
  return { result, ok: problems.length === 0 };
}

/** A run with what is needed to read its tables again. */
export async function readProvenRun(
  context: Pick<ImportContext, 'database' | 'tenant'>,
  runId: string,
): Promise<{ readonly run: RunRow; readonly tables: readonly ProvenTable[]; readonly pairs: readonly Pair[] }> {
  const { tenant } = context;
  return await context.database.withClient((client) =>
    inTenant(client, tenant, async () => {
      const run = await findRun(client, tenant, runId);
      const tables = await readTables(client, tenant, run.run_id);
      const quarantined = await readQuarantined(client, tenant, run.run_id);
      const pairs = tables.map(({ source, target, form }) => ({
        source,
        target,
        form,
        reading: null,
        skip: new Set(quarantined.filter((row) => row.source === source).map(({ ordinal }) => ordinal)),
      }));
      return { run, tables, pairs };
    }),
  );
}

type Target = Parameters<typeof proveTables>[3];

async function proveAgainstFile(run: RunRow, pairs: readonly Pair[], target: Target): Promise<Proof> {
  return await withSource(run.source, async ({ snapshot, thread }) => {
    const sha256 = await thread.ask('sha256', { sizeBytes: snapshot.sizeBytes, walBytes: snapshot.walBytes });
    if (sha256 !== run.source_sha256) throw new SafekeepError('import-source-differs', { file: run.source, run: run.run_id });
    const schema = readSourceSchema(snapshot.sqlite);
    const readable = pairs.map((pair) => {
      const table = schema.tables.find(({ name }) => name === pair.source);
      if (table === undefined) throw new SafekeepError('import-source-differs', { file: run.source, run: run.run_id });
      return { ...pair, reading: tableReading(snapshot.sqlite, table, loadedColumns(table)) };
    });
    return await proveTables(snapshot, readable, askDigests({ snapshot, thread }, readable), target);
  });
}

async function proveAgainstRecord(tables: readonly ProvenTable[], pairs: readonly Pair[], target: Target): Promise<Proof> {
  const digests = await digestTables(pairs, target);
  const proven = pairs.map((pair) => {
    const recorded = tables.find(({ source }) => source === pair.source);
    const found = digests.get(pair.source);
    if (recorded === undefined || found === undefined) throw new Error(`${pair.source} was not read`);
    if (recorded.sourceDigest === null) throw new SafekeepError('import-source-missing', { table: pair.source });
    const sourceDigest = { rows: recorded.rowsWritten, columns: [], sha256: recorded.sourceDigest };
    return { ...pair, sourceDigest, targetDigest: found, sourceRows: recorded.rowsWritten, targetRows: found.rows };
  });
  return { tables: proven, differences: [] };
}
