import { Type } from '@safekeep/core/schema';
import { job } from '@safekeep/capabilities/jobs';
import { classifyColumns, totalOf } from './actions/classify-columns.ts';
import { lookAtChanges } from './actions/look-at-changes.ts';
import { textColumns } from './actions/text-columns.ts';
import { findMap } from './actions/write-map.ts';

const MAP_FILE = 'datamap.yaml';
const MapFile = Type.Optional(
  Type.String({ description: `the data map, as the worker finds it; ${MAP_FILE} unless said otherwise` }),
);

/**
 * Looks again at what is new or changed: `safekeep jobs schedule set scan-changes '0 3 * * *'`. The watch over changes of structure,
 * on every database; where the map says `watch_structure` and the server allows it, a run that finds nothing noted since the last one
 * has nothing to look at, so that it may come every minute.
 */
export const scanChanges = job({
  kind: 'scan-changes',
  payload: Type.Object({
    schemas: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { maxItems: 1000 })),
    map: MapFile,
  }),
  version: 1,
  retry: { limit: 2, backoff: { firstMs: 5_000, maxMs: 60_000 } },
  timeoutMs: 3_600_000,
  concurrency: { perWorker: 1, perTenant: 1 },
  run: async ({ database, tenant, clock, signal, progress, log }, { schemas, map: file }) => {
    const map = (await findMap(file ?? MAP_FILE))?.map;
    const order = { tenant, clock, signal, map, onProgress: progress, ...(schemas === undefined ? {} : { schemas }) };
    const { reason, columns, problems } = await lookAtChanges(database, order);
    const fresh = columns.filter((column) => column.fresh);
    const personal = fresh.filter(({ decision }) => decision !== 'none');
    log[personal.length > 0 ? 'warn' : 'info']('scanned', {
      because: reason,
      columns: columns.length,
      fresh: fresh.length,
      personal: personal.length,
      problems: problems.length,
    });
    return {
      because: reason,
      columns: columns.length,
      fresh: fresh.length,
      // Names of columns and categories, as the map has them; never a value.
      personal: personal.slice(0, NAMED_AT_MOST).map(({ column, category, decision }) => ({ column, category, decision })),
      problems: problems.map(({ table, code }) => ({ table, code })),
    };
  },
});

const NAMED_AT_MOST = 1000;
/** A job looks at this many texts of a column, which takes minutes; the next one goes on behind them. */
const TEXTS_A_JOB = 50_000;

/**
 * Looks at what was written into columns of free text since the last run, and counts the kinds that stand in it: into the one that is
 * named, else into all of which the map says `free_text: true`. With `redact` it also takes them out of the rows it reads: only where
 * the map says so, and only with `agreed` beside it, since what is redacted is gone for good.
 */
export const classifyFreeText = job({
  kind: 'classify-text',
  payload: Type.Object({
    column: Type.Optional(
      Type.String({ minLength: 1, description: 'schema.table.column; without it all columns of free text of the map' }),
    ),
    redact: Type.Optional(Type.Boolean({ description: 'put the redacted text in the place of what was read' })),
    agreed: Type.Optional(Type.Boolean({ description: 'a person agrees that the redacted values are gone for good' })),
    map: MapFile,
  }),
  version: 1,
  retry: { limit: 3, backoff: { firstMs: 2_000, maxMs: 60_000 } },
  timeoutMs: 3_600_000,
  concurrency: { perWorker: 1, perTenant: 2 },
  run: async ({ database, tenant, clock, signal, progress, log }, { column, redact = false, agreed = false, map = MAP_FILE }) => {
    const columns = await textColumns({ ...(column === undefined ? {} : { column }), redact, agreed, map });
    const order = { tenant, clock, signal, redact, rowsAtMost: TEXTS_A_JOB, onProgress: progress };
    const { classified, problems } = await classifyColumns(database, { ...order, columns });
    const totals = totalOf(classified);
    // One that was asked for by its name is all the job was for.
    const [problem] = problems;
    if (column !== undefined && problem !== undefined) throw problem.error;
    log[problems.length > 0 ? 'warn' : 'info']('text-classified', { ...totals, problems: problems.length });
    return {
      ...totals,
      columns: classified.map(({ kinds, ...each }) => ({ ...each, kinds: { ...kinds } })),
      problems: problems.map(({ column: name, error }) => ({ column: name, code: error.code, message: error.message })),
    };
  },
});
