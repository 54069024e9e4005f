import { isSafekeepError, newId, SafekeepError } from '@safekeep/core';
import type { Plan } from '../model.ts';
import { stepSha256 } from '../rules/steps.ts';
import { stepId } from '../rules/text.ts';
import type { RunOfTenant } from '../store/records.ts';
import { endRun, insertRun, markInterrupted } from '../store/runs.ts';
import { begin, commit, rollback, takeLease } from '../store/session.ts';
import type { Ground } from './execute.ts';

type Purpose = { readonly plan: Plan; readonly direction: 'apply' | 'unapply'; readonly mapSha256: string | null };

/**
 * Runs `action` as a recorded run, alone in this database: a second one is refused at once. A run whose process was killed is
 * found by the next one and marked as interrupted; what of it was committed is recorded, and the next plan holds the rest.
 */
export async function withRun<Result>(
  ground: Ground,
  purpose: Purpose,
  action: (id: RunOfTenant) => Promise<Result>,
): Promise<Result> {
  const { database, tenant, clock, observe } = ground;
  const id: RunOfTenant = { tenant, runId: newId<'apply-run'>() };
  return await database.withClient(async (lease) => {
    if (!(await takeLease(lease))) {
      await rollback(lease);
      throw new SafekeepError('apply-running');
    }
    await database.withClient(async (client) => {
      await begin(client, tenant);
      await markInterrupted(client, tenant, clock.now());
      await insertRun(client, id, {
        direction: purpose.direction,
        planSha256: purpose.plan.hash,
        mapSha256: purpose.mapSha256,
        structure: purpose.plan.structure,
        startedAt: clock.now(),
        steps: purpose.plan.steps.map((step) => ({ step: stepId(step), sha256: stepSha256(step) })),
      });
      await commit(client);
    });
    observe('recorded', { done: 0, total: purpose.plan.steps.length, step: null });
    try {
      const result = await action(id);
      await rollback(lease);
      return result;
    } catch (error) {
      await recordFailure(ground, id, error);
      throw error;
    }
  });
}

async function recordFailure({ database, tenant, clock }: Ground, id: RunOfTenant, error: unknown): Promise<void> {
  const failure = isSafekeepError(error) ? error.code : 'internal';
  try {
    await database.withClient(async (client) => {
      await begin(client, tenant);
      await endRun(client, id, { state: 'failed', finishedAt: clock.now(), failure });
      await commit(client);
    });
  } catch {
    // What went wrong first is what is told. The run still says that it runs; the next one marks it as interrupted.
  }
}
