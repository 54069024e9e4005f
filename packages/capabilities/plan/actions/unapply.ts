import { SafekeepError } from '@safekeep/core';
import { fingerprintParts, readUserCatalog, type Database, type FingerprintParts } from '@safekeep/postgres';
import type { CommandContext } from '../../capability.ts';
import type { Plan, Refusal, UnapplyText } from '../model.ts';
import { comparison, notRestored } from '../rules/baseline.ts';
import { stepText } from '../rules/text.ts';
import { deleteBaseline } from '../store/records.ts';
import { endRun } from '../store/runs.ts';
import { execute, secondsSince, type Ground } from './execute.ts';
import { makePlanOut } from './make-plan.ts';
import { planRemoval } from './plan-database.ts';
import { withRun } from './with-run.ts';

/** Asked before protection is taken away; each refusal it returns stops that. */
export type Guard = (database: Database, tenant: string) => Promise<readonly Refusal[]>;

/** What {@link unapply} itself does: the steps, and what they left. */
export type Unapplied = Omit<UnapplyText, 'before'>;

/** What must be given back before the steps can go: plaintext of encrypted columns, a copy of the log. */
export type TakeOut = {
  /** Asks for itself; answers what was done, a line each. `wait`: applications are given the time to hear of it. */
  readonly run: (context: CommandContext, options: { readonly wait: boolean }) => Promise<readonly string[]>;
  /** Tells what is still there, and stops the steps. */
  readonly left?: Guard;
  /** After the steps, with those that were taken. */
  readonly ended?: (context: CommandContext, steps: UnapplyText['steps']) => Promise<void>;
};

export type UnapplyOptions = {
  readonly guards: readonly Guard[];
  /** The structure before anything was given back; as it is now where nothing was. */
  readonly standing?: FingerprintParts;
  readonly agree: (plan: Plan) => Promise<void>;
};

/**
 * Takes everything out of the user's schemas again. Before the last transaction is committed the structure is held against the
 * one from before the first apply: whatever we touched must be as it was, or all is rolled back.
 *
 * @throws `unapply-held`, `unapply-drifted`, `unapply-differs`, and what {@link applyPlan} throws for running steps.
 */
export async function unapply(ground: Ground, { guards, agree, standing }: UnapplyOptions): Promise<Unapplied> {
  const { database, tenant, clock } = ground;
  const startMs = clock.elapsedMs();
  const plan = await planRemoval(database, tenant);
  await refuseHeld(guards, ground);
  refuseOverwriting(plan);
  const baseline = plan.applied.baseline;
  if (baseline === null)
    return { runId: null, steps: [], fingerprint: null, restored: true, changedSince: [], seconds: secondsSince(ground, startMs) };
  await agree(plan);
  const result = await withRun(ground, { plan, direction: 'unapply', mapSha256: null }, async (id) => {
    const before = fingerprintParts(plan.catalog);
    let restored: ReturnType<typeof comparison> | undefined;
    await execute(ground, {
      id,
      plan,
      replan: (client) => makePlanOut(client, tenant),
      // A hold that was placed while somebody thought about it.
      opening: () => refuseHeld(guards, ground),
      closing: async (client) => {
        const after = fingerprintParts(await readUserCatalog(client));
        const wrong = notRestored(baseline, { before, after });
        if (wrong.length > 0) throw new SafekeepError('unapply-differs', { objects: wrong.join(', ') });
        restored = comparison(baseline, { standing: standing ?? before, before, after });
        await deleteBaseline(client, tenant);
        await endRun(client, id, { state: 'done', finishedAt: clock.now(), failure: null });
      },
    });
    if (restored === undefined) throw new Error('The steps ran and nobody looked at what they left');
    return { runId: id.runId, ...restored };
  });
  return { ...result, steps: plan.steps.map(stepText), seconds: secondsSince(ground, startMs) };
}

/** @throws `unapply-held` */
export async function refuseHeld(
  guards: readonly Guard[],
  { database, tenant }: Pick<Ground, 'database' | 'tenant'>,
): Promise<void> {
  const refusals = (await Promise.all(guards.map((guard) => guard(database, tenant)))).flat();
  if (refusals.length === 0) return;
  const holds = refusals.map(({ target, reason }) => `${target} (${reason})`).join(', ');
  const remedies = [...new Set(refusals.map(({ remedy = RELEASE }) => remedy))];
  throw new SafekeepError('unapply-held', { holds, remedies: remedies.join(' ') });
}

const RELEASE = 'Release what is held (`safekeep hold list`).';

/** What we would put back is older than what somebody made of it since. What vanished may only have been renamed, and our part with it. */
function refuseOverwriting({ applied, drift }: Plan): void {
  const restoring = new Set(applied.objects.filter(({ restores }) => restores).map(({ id }) => id));
  const changed = drift.filter(({ object, change }) => change !== 'disabled' && restoring.has(object));
  if (changed.length === 0) return;
  throw new SafekeepError('unapply-drifted', { objects: changed.map(({ object }) => object).join(', ') });
}
