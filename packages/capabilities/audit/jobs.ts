import { Type } from '@safekeep/core/schema';
import type { CommandContext } from '../capability.ts';
import { job, type JobKind } from '../jobs/index.ts';
import { attest } from './actions/attest.ts';
import { openSequencer } from './actions/open-sequencer.ts';
import { keepPartitions, listPartitions } from './actions/partitions.ts';
import { sequence } from './actions/sequence.ts';
import { openHomeKey } from './keys/key-file.ts';
import { MONTHS_AT_MOST } from './model.ts';

const RETRY = { limit: 5, backoff: { firstMs: 1000, maxMs: 60_000 } };

const attestation = job({
  kind: 'audit-attest',
  payload: Type.Object({}),
  version: 1,
  retry: RETRY,
  timeoutMs: 300_000,
  concurrency: { perWorker: 1, perTenant: 1 },
  // Whoever switches a trigger off and on again within the hour leaves a row that `audit verify --full` finds, and no gap here.
  schedule: '11 * * * *',
  run: async ({ database, tenant, log }) => {
    const { ok, tables, faults } = await attest(database, tenant);
    if (!ok) log.error('capture-broken', { count: faults.length });
    return { ok, tables, faults: faults.length };
  },
});

const INDEXING_MS = 6 * 3_600_000;

/** Under the worker's login it can but make months ahead; with the home of the command that serves, it works as the log's owner. */
const partitions = job({
  kind: 'audit-partitions',
  payload: Type.Object({
    keepMonths: Type.Optional(
      Type.Integer({ minimum: 1, maximum: MONTHS_AT_MOST, description: 'older months of the log are dropped' }),
    ),
  }),
  version: 1,
  retry: RETRY,
  timeoutMs: INDEXING_MS,
  concurrency: { perWorker: 1, overall: 1 },
  schedule: '23 1 * * *',
  run: async ({ database, tenant, clock, host, log, signal }, { keepMonths }) => {
    if (host === undefined) return { made: (await listPartitions(database)).made.length };
    const policy = keepMonths === undefined ? {} : { policy: await policyOf(host, keepMonths) };
    const order = { tenant, clock, signal, ...policy };
    const { made, dropped, indexed } = await keepPartitions(await host.database(), order);
    log.info('audit-months-kept', { made: made.length, dropped: dropped.length, indexed: indexed.length });
    return { made: made.length, dropped: dropped.length, indexed: indexed.length };
  },
});

async function policyOf(host: CommandContext, keepMonths: number) {
  const { markOf } = await openHomeKey(host.home);
  return {
    keepMonths,
    markOf,
    sequence: async () => {
      const ground = await openSequencer(host);
      try {
        await sequence(ground, { wait: true });
      } finally {
        await ground.keys.close();
      }
    },
  };
}

export const auditJobs: readonly JobKind[] = [attestation, partitions];
