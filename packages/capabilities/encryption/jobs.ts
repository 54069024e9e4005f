import { Type } from '@safekeep/core/schema';
import { SafekeepError } from '@safekeep/core';
import { inTenant } from '@safekeep/postgres';
import { job, type JobKind } from '../jobs/index.ts';
import { openKeys, type RecordFor } from './actions/open-context.ts';
import { rollEpoch } from './actions/roll-epoch.ts';
import { readEpochs } from './store/epochs.ts';

const ROLL_MS = 6 * 3_600_000;

/**
 * Every week: `safekeep jobs schedule set roll-epoch '0 4 * * 0'`. A run that was cut off goes on with the next attempt. Under the
 * login of the worker, which may change keys but read no table of them.
 */
export function keyJobs(record: RecordFor | undefined): readonly JobKind[] {
  return [
    job({
      kind: 'roll-epoch',
      payload: Type.Object({}),
      version: 1,
      retry: { limit: 5, backoff: { firstMs: 60_000, maxMs: 3_600_000 } },
      timeoutMs: ROLL_MS,
      concurrency: { perWorker: 1, overall: 1 },
      run: async ({ database, tenant, signal, progress, log, host }) => {
        if (host === undefined) throw new SafekeepError('job-needs-home', { kind: 'roll-epoch' });
        const epochs = await inTenant(database, tenant, (client) => readEpochs(client, tenant));
        // Where nothing was ever sealed there is nothing to replace.
        if (epochs.length === 0) return { rewrapped: 0 };
        const ring = await openKeys(host, { database, ...(record === undefined ? {} : { record: record(host) }) });
        try {
          const { from, to, rewrapped } = await rollEpoch(ring, tenant, { signal, onProgress: progress });
          log.info('epoch-rolled', { from, to, rewrapped });
          return { from, to, rewrapped };
        } finally {
          await ring.close();
        }
      },
    }),
  ];
}
