import Type from 'typebox';
import { job } from '@safekeep/capabilities/jobs';
import { classifyColumn } from './actions/classify-text.ts';
import { scanDatabase } from './actions/scan.ts';

/**
 * Looks again at what is new or changed: `safekeep jobs schedule set scan-changes '0 3 * * *'`. The watch over changes of structure:
 * a column that somebody added is told of at the next run, on every database, since it needs no event trigger.
 */
export const scanChanges = job({
  kind: 'scan-changes',
  payload: Type.Object({ schemas: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { maxItems: 1000 })) }),
  version: 1,
  retry: { limit: 2, backoff: { firstMs: 5_000, maxMs: 60_000 } },
  timeoutMs: 3_600_000,
  concurrency: { perWorker: 1, perTenant: 1 },
  run: async ({ database, tenant, clock, signal, progress, log }, { schemas }) => {
    const { columns, problems } = await scanDatabase(database, {
      tenant,
      clock,
      signal,
      sinceLast: true,
      onProgress: progress,
      ...(schemas === undefined ? {} : { schemas }),
    });
    const fresh = columns.filter((column) => column.fresh);
    const personal = fresh.filter(({ decision }) => decision !== 'none');
    log[personal.length > 0 ? 'warn' : 'info']('scanned', {
      columns: columns.length,
      fresh: fresh.length,
      personal: personal.length,
      problems: problems.length,
    });
    return {
      columns: columns.length,
      fresh: fresh.length,
      // Names of columns and categories, as the map has them; never a value.
      personal: personal.slice(0, NAMED_AT_MOST).map(({ column, category, decision }) => ({ column, category, decision })),
      problems: problems.map(({ table, code }) => ({ table, code })),
    };
  },
});

const NAMED_AT_MOST = 1000;
/** A job of this many rows is done in minutes; the next one goes on behind it. */
const ROWS_A_JOB = 50_000;

/** Looks at what was written into a column of free text since the last run, and counts the kinds that stand in it. */
export const classifyFreeText = job({
  kind: 'classify-text',
  payload: Type.Object({ column: Type.String({ minLength: 1, description: 'schema.table.column' }) }),
  version: 1,
  retry: { limit: 3, backoff: { firstMs: 2_000, maxMs: 60_000 } },
  timeoutMs: 3_600_000,
  concurrency: { perWorker: 1, perTenant: 2 },
  run: async ({ database, tenant, clock, signal, progress, log }, { column }) => {
    const found = await classifyColumn(database, { tenant, clock, signal, column, rowsAtMost: ROWS_A_JOB, onProgress: progress });
    log.info('text-classified', { rows: found.rows, flagged: found.flagged, done: found.done });
    return { rows: found.rows, flagged: found.flagged, kinds: { ...found.kinds }, done: found.done };
  },
});
