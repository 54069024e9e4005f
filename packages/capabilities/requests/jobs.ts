import { createHash } from 'node:crypto';
import { Type } from '@safekeep/core/schema';
import { job, type JobKind } from '../jobs/index.ts';
import { loadMap } from '../datamap/index.ts';
import { runCanary } from './actions/canary.ts';
import { whatIsDue } from './actions/due-erasures.ts';
import { dateUndated } from './actions/undated.ts';
import { groundOf } from './actions/ground.ts';

/**
 * Every night: `safekeep jobs schedule set canary '0 3 * * *'`. A worker has no home and no keys, so nobody takes part in what it
 * takes back anyway: whoever was made up a moment ago has neither keys nor events.
 */
export const requestJobs: readonly JobKind[] = [
  job({
    kind: 'canary',
    payload: Type.Object({ map: Type.String({ default: 'datamap.yaml', description: 'the data map, as the worker finds it' }) }),
    version: 1,
    retry: { limit: 1, backoff: { firstMs: 60_000, maxMs: 600_000 } },
    timeoutMs: 600_000,
    concurrency: { perWorker: 1, perTenant: 1 },
    run: async ({ database, tenant, clock, log }, { map: file }) => {
      const { map, text } = await loadMap(file);
      const mapSha256 = createHash('sha256').update(text).digest('hex');
      const result = await runCanary(await groundOf({ database, tenant, clock, map, mapSha256, ports: { participants: [] } }));
      log[result.state === 'fail' ? 'error' : 'info']('canary-run', {
        seeded: result.seeded,
        exported: result.exported,
        faults: result.faults.length,
      });
      return result;
    },
  }),
  // Every morning: `safekeep jobs schedule set erasures-due '0 7 * * *'`. A worker has no ledger: it tells, and somebody plans and approves.
  job({
    kind: 'erasures-due',
    payload: Type.Object({ map: Type.String({ default: 'datamap.yaml', description: 'the data map, as the worker finds it' }) }),
    version: 1,
    retry: { limit: 3, backoff: { firstMs: 60_000, maxMs: 600_000 } },
    timeoutMs: 600_000,
    concurrency: { perWorker: 1, perTenant: 1 },
    run: async ({ database, tenant, clock, log }, { map: file }) => {
      const { map, text } = await loadMap(file);
      const mapSha256 = createHash('sha256').update(text).digest('hex');
      const ground = await groundOf({ database, tenant, clock, map, mapSha256, ports: { participants: [] } });
      const failed = (await dateUndated(ground)).length;
      const result = { ...(await whatIsDue(ground)), failed };
      log[result.due > 0 || failed > 0 ? 'warn' : 'info']('erasures-due', { due: result.due, failed });
      return result;
    },
  }),
];
