import { SafekeepError } from '@safekeep/core';
import { dropSchema, movables } from '../store/build-schema.ts';
import { findRun } from '../store/find-run.ts';
import { inTenant } from '../store/runs.ts';
import type { ImportContext } from './import-context.ts';

/**
 * Deletes for good what `--replace` of a run put aside. Until then all of it lies there as it was, people among it who were erased since, and
 * no request, scan or log reaches it.
 */
export async function discardKept(
  { database, tenant }: Pick<ImportContext, 'database' | 'tenant'>,
  runId: string,
): Promise<{ readonly runId: string; readonly tables: number }> {
  return await database.withClient((client) =>
    inTenant(client, tenant, async () => {
      const run = await findRun(client, tenant, runId);
      const kept = run.kept_schema === null ? [] : await movables(client, run.kept_schema);
      if (run.kept_schema === null || kept.length === 0)
        throw new SafekeepError('import-run-state', {
          run: run.run_id,
          state: `${run.state} and keeps nothing aside`,
          action: 'discarding',
          needed: 'one with --replace',
        });
      await dropSchema(client, run.kept_schema);
      return { runId: run.run_id, tables: kept.filter(({ kind }) => kind === 'r').length };
    }),
  );
}
