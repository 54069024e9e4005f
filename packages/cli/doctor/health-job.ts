import { Type } from '@safekeep/core/schema';
import { job } from '@safekeep/capabilities/jobs';
import { databaseChecks } from './checks.ts';

/** Doctor's questions to the database, to be put on a schedule: `safekeep jobs schedule set health-check '*\/15 * * * *'`. */
export const healthCheck = job({
  kind: 'health-check',
  payload: Type.Object({}),
  version: 1,
  retry: { limit: 2, backoff: { firstMs: 1_000, maxMs: 30_000 } },
  timeoutMs: 60_000,
  concurrency: { perWorker: 1 },
  run: async ({ database, clock, log }) => {
    const checks = await databaseChecks(database, clock);
    const failed = checks.filter(({ state }) => state === 'fail').length;
    const warned = checks.filter(({ state }) => state === 'warn').length;
    log[failed > 0 ? 'error' : 'info']('health-checked', { checks: checks.length, failed, warned });
    return { checks: checks.map(({ name, state }) => ({ name, state })) };
  },
});
