import Type from 'typebox';
import { job } from '@safekeep/capabilities/jobs';
import { classifyColumn } from './actions/classify-text.ts';
import { refuseUnasked } from './actions/refuse-unasked.ts';
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

/**
 * Looks at what was written into a column of free text since the last run, and counts the kinds that stand in it. With `redact` it
 * also takes them out of the rows it reads: only where the map says `free_text: true`, and only with `agreed` beside it, since what
 * is redacted is gone for good.
 */
export const classifyFreeText = job({
  kind: 'classify-text',
  payload: Type.Object({
    column: Type.String({ minLength: 1, description: 'schema.table.column' }),
    redact: Type.Optional(Type.Boolean({ description: 'put the redacted text in the place of what was read' })),
    agreed: Type.Optional(Type.Boolean({ description: 'a person agrees that the redacted values are gone for good' })),
    map: Type.Optional(Type.String({ description: 'the data map, as the worker finds it; datamap.yaml unless said otherwise' })),
  }),
  version: 1,
  retry: { limit: 3, backoff: { firstMs: 2_000, maxMs: 60_000 } },
  timeoutMs: 3_600_000,
  concurrency: { perWorker: 1, perTenant: 2 },
  run: async (
    { database, tenant, clock, signal, progress, log },
    { column, redact = false, agreed = false, map = 'datamap.yaml' },
  ) => {
    if (redact) await refuseUnasked({ column, agreed, map });
    const order = { tenant, clock, signal, column, redact, rowsAtMost: ROWS_A_JOB, onProgress: progress };
    const found = await classifyColumn(database, order);
    log.info('text-classified', { rows: found.rows, flagged: found.flagged, redacted: found.redacted, done: found.done });
    return { rows: found.rows, flagged: found.flagged, redacted: found.redacted, kinds: { ...found.kinds }, done: found.done };
  },
});
