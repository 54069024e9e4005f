import { operationFailure } from '@safekeep/postgres';
import { codeOf, SafekeepError } from '@safekeep/core';
import { forgetFollow } from '../cut-over/stop.ts';
import { someOf } from '../rules.ts';
import { countRows, dropRelations, dropSchema, lockAgainstWrites, schemaExists, type Movable } from '../store/build-schema.ts';
import { endRun, inTenant, type ProvenTable, type RunRow } from '../store/runs.ts';
import type { ImportContext } from './import-context.ts';
import { digestTables, type Pair } from './prove-tables.ts';
import { bringBack } from './publish.ts';
import { readProvenRun } from './verify-run.ts';

export type RollbackOptions = { readonly runId: string; readonly discardChanges: boolean };

const DEPENDENT_OBJECTS = '2BP01';
const UNDEFINED_TABLE = '42P01';

/**
 * Undoes an import: what it brought goes, what it replaced comes back, in one transaction. Refuses when the imported tables
 * were written to since, for that would be lost, and when something else was built on them.
 */
export async function rollbackRun(
  context: Pick<ImportContext, 'clock' | 'database' | 'tenant'>,
  { runId, discardChanges }: RollbackOptions,
): Promise<{ readonly runId: string; readonly state: 'rolled-back' }> {
  const { run, tables, pairs } = await readProvenRun(context, runId);
  if (run.state === 'loading' || run.state === 'verifying' || run.state === 'planned') {
    await takeBack(context, run, (client) => dropSchema(client, run.build_schema));
  } else if (run.state === 'done') {
    await takeBack(context, run, async (client) => {
      // Whoever writes to them now waits until the tables are gone: nothing slips in between the comparison and the end.
      await lockAgainstWrites(
        client,
        run.target_schema,
        tables.map(({ target }) => target),
      );
      if (!discardChanges) await refuseChanged(context, run, tables, pairs);
      await dropRelations(client, run.target_schema, relationsOf(run));
      if (run.kept_schema !== null && (await schemaExists(client, run.kept_schema)))
        await bringBack(client, run.kept_schema, run.target_schema);
    });
  } else {
    throw new SafekeepError('import-run-state', { run: run.run_id, state: run.state, action: 'rolling back', needed: 'done' });
  }
  // Following ends with the tables: nothing of ours stays in the source.
  await forgetFollow(context, run);
  return { runId: run.run_id, state: 'rolled-back' };
}

function relationsOf(run: RunRow): Movable[] {
  return (run.result?.relations ?? []).map(({ name, kind }) => ({ name, kind: kind === 'view' ? 'v' : 'r' }));
}

async function takeBack(
  context: Pick<ImportContext, 'clock' | 'database' | 'tenant'>,
  run: RunRow,
  undo: (client: Parameters<typeof dropSchema>[0]) => Promise<void>,
): Promise<void> {
  try {
    await context.database.withClient((client) =>
      inTenant(client, context.tenant, async () => {
        await undo(client);
        await endRun(client, context.tenant, { runId: run.run_id, state: 'rolled-back', finishedAt: context.clock.now() });
      }),
    );
  } catch (error) {
    if (codeOf(error) === UNDEFINED_TABLE && error instanceof Error)
      throw new SafekeepError('import-rollback-changed', { tables: error.message }, { cause: error });
    if (codeOf(error) === DEPENDENT_OBJECTS && error instanceof Error)
      throw new SafekeepError('import-rollback-dependents', { detail: dependentsIn(error) }, { cause: error });
    throw operationFailure(error, 'rolling back the import');
  }
}

/** PostgreSQL names what depends on the tables in the detail of its error, one to a line. */
function dependentsIn(error: Error): string {
  const detail = 'detail' in error && typeof error.detail === 'string' ? error.detail : '';
  return detail === '' ? error.message : someOf(detail.split('\n'));
}

/** Compares with what the import left behind: by digest where there is one, else by count. */
async function refuseChanged(
  context: Pick<ImportContext, 'database'>,
  run: RunRow,
  tables: readonly ProvenTable[],
  pairs: readonly Pair[],
): Promise<void> {
  const target = { database: context.database, schema: run.target_schema };
  const proven = pairs.filter((pair) => tables.some((table) => table.source === pair.source && table.targetDigest !== null));
  const digests = await digestTables(proven, target);
  const changed: string[] = [];
  for (const table of tables) {
    const digest = digests.get(table.source);
    const rows =
      digest?.rows ?? (await context.database.withClient((client) => countRows(client, run.target_schema, table.target)));
    if (rows !== table.rowsWritten || (digest !== undefined && digest.sha256 !== table.targetDigest)) changed.push(table.target);
  }
  if (changed.length > 0) throw new SafekeepError('import-rollback-changed', { tables: someOf(changed) });
}
