import Type from 'typebox';
import { job, type JobKind } from '../jobs/index.ts';
import { attest } from './actions/attest.ts';
import { listPartitions } from './actions/partitions.ts';

const RETRY = { limit: 5, backoff: { firstMs: 1000, maxMs: 60_000 } };

const attestation = job({
  kind: 'audit-attest',
  payload: Type.Object({}),
  version: 1,
  retry: RETRY,
  timeoutMs: 300_000,
  concurrency: { perWorker: 1, perTenant: 1 },
  run: async ({ database, tenant, log }) => {
    const { ok, tables, faults } = await attest(database, tenant);
    if (!ok) log.error('capture-broken', { count: faults.length });
    return { ok, tables, faults: faults.length };
  },
});

const partitions = job({
  kind: 'audit-partitions',
  payload: Type.Object({}),
  version: 1,
  retry: RETRY,
  timeoutMs: 300_000,
  concurrency: { perWorker: 1, overall: 1 },
  run: async ({ database }) => ({ made: (await listPartitions(database)).made.length }),
});

export const auditJobs: readonly JobKind[] = [attestation, partitions];
