import { SafekeepError } from '@safekeep/core';
import { fingerprintParts, readUserCatalog, strangeOwners } from '@safekeep/postgres';
import { recordMapVersion } from '../../datamap/index.ts';
import type { ApplyText, Plan } from '../model.ts';
import { changedByUser } from '../rules/baseline.ts';
import { columnsToKnow, sameColumns } from '../rules/drift.ts';
import { stepSha256 } from '../rules/steps.ts';
import { stepText } from '../rules/text.ts';
import { insertBaseline, replaceColumns, updateBaseline } from '../store/records.ts';
import { endRun, readLeftOver, type LeftOver } from '../store/runs.ts';
import { begin, commit, rollback } from '../store/session.ts';
import { execute, secondsSince, type Ground } from './execute.ts';
import { makePlan, type Intent } from './make-plan.ts';
import { planDatabase } from './plan-database.ts';
import { withRun } from './with-run.ts';

export type ApplyOptions = {
  readonly intent: Intent;
  /** The plan that was looked at: nothing else is run. Left out: whatever the plan is now. */
  readonly hash?: string;
  /** Who answers for the map, in its history. */
  readonly author: string;
  /** Asked with the plan before anything is changed; throws to stop. */
  readonly agree: (plan: Plan) => Promise<void>;
};

/**
 * Brings the database to what the map wants.
 *
 * @throws `plan-blocked`, `plan-outdated`, `apply-running`, `apply-failed`, `apply-cancelled`, `lock-timeout`,
 *   `privilege-missing`, `connection-lost`, and whatever `agree` throws.
 */
export async function applyPlan(ground: Ground, options: ApplyOptions): Promise<ApplyText> {
  const startMs = ground.clock.elapsedMs();
  const { intent } = options;
  const plan = await planDatabase(ground.database, intent);
  refuseProblems(plan);
  if (options.hash !== undefined) await requirePlan(ground, plan, { hash: options.hash, mapSha256: intent.read.sha256 });
  if (plan.steps.length === 0) {
    await learnColumns(ground, intent, plan);
    return await ended(ground, options, { plan, runId: null, startMs });
  }
  await requireOwnership(ground, plan);
  await options.agree(plan);
  const runId = await withRun(ground, { plan, direction: 'apply', mapSha256: intent.read.sha256 }, async (id) => {
    await execute(ground, {
      id,
      plan,
      replan: (client) => makePlan(client, intent),
      opening: async (client, { applied, catalog }) => {
        if (applied.baseline === null)
          await insertBaseline(client, id, { at: ground.clock.now(), parts: fingerprintParts(catalog) });
      },
      closing: async (client) => {
        const after = await readUserCatalog(client);
        const { applied, catalog: before } = plan;
        const changed = applied.baseline === null ? [] : changedByUser(applied.baseline, fingerprintParts(before));
        await updateBaseline(client, ground.tenant, { expected: fingerprintParts(after), changed });
        await replaceColumns(client, ground.tenant, columnsToKnow(applied.columns, intent.read.map, { before, after }));
        await endRun(client, id, { state: 'done', finishedAt: ground.clock.now(), failure: null });
      },
    });
    return id.runId;
  });
  return await ended(ground, options, { plan, runId, startMs });
}

type Done = { readonly plan: Plan; readonly runId: string | null; readonly startMs: number };

/** The map is what holds from now on. Should that be lost in between, the same command once more finds only this left to do. */
async function ended(ground: Ground, { intent, author }: ApplyOptions, { plan, runId, startMs }: Done): Promise<ApplyText> {
  const { database, tenant, clock } = ground;
  const { version } = await recordMapVersion(database, intent.read, { tenant, author, clock });
  const { hash, steps } = plan;
  return { runId, hash, steps: steps.map(stepText), mapVersion: version.number, seconds: secondsSince(ground, startMs) };
}

/** A terminal shows these; `safekeep map check` has all of them with their places. */
const PROBLEMS_SHOWN = 10;

function refuseProblems({ problems }: Plan): void {
  if (problems.length === 0) return;
  const shown = problems.slice(0, PROBLEMS_SHOWN).map(({ target, reason }) => `\n  ${target}: ${reason}`);
  const more = problems.length - shown.length;
  throw new SafekeepError('plan-blocked', { problems: `${shown.join('')}${more > 0 ? `\n  and ${more} more` : ''}` });
}

/** All that is missing at once, and before anything is begun. */
async function requireOwnership({ database }: Ground, { steps }: Plan): Promise<void> {
  const tables = steps.flatMap(({ locks }) => locks);
  const owners = await database.withClient((client) => strangeOwners(client, tables));
  const [first, ...others] = owners;
  if (first === undefined) return;
  // Nothing has to be given to whoever owns them already.
  const simpler = others.length === 0 ? `; connect as ${first.owner}, or be given it` : '';
  throw new SafekeepError('privilege-missing', {
    user: 'This login',
    right: `the role of ${owners.map(({ owner, tables: count }) => `${owner}, who owns ${count} of the tables to be changed`).join(', and of ')}${simpler}`,
    grant: owners.map(({ grant }) => grant).join(' '),
  });
}

/**
 * The plan must be the one that was looked at. After an interrupted run of that very plan what is left of it will do, so that
 * the same command can be given again.
 */
async function requirePlan(
  { database, tenant }: Ground,
  plan: Plan,
  looked: { readonly hash: string; readonly mapSha256: string },
): Promise<void> {
  if (plan.hash === looked.hash) return;
  const leftOver = await database.withClient(async (client) => {
    await begin(client, tenant);
    const found = await readLeftOver(client, tenant, { sha256: looked.hash, mapSha256: looked.mapSha256 });
    await rollback(client);
    return found;
  });
  if (leftOver !== null && isRestOf(plan, leftOver)) return;
  throw new SafekeepError('plan-outdated', {
    difference: `the plan is now ${plan.hash.slice(0, 12)}, not ${looked.hash.slice(0, 12)}`,
  });
}

/** Forgetting touches nothing of the user's: what was to be removed is gone already. */
function isRestOf({ steps, structure }: Plan, left: LeftOver): boolean {
  const known = steps.every((step) => step.action === 'forget' || left.steps.has(stepSha256(step)));
  return known && (steps.length === 0 || left.structure === null || left.structure === structure);
}

/** A column may be mapped and ask for nothing. It is known from now on all the same. */
async function learnColumns({ database, tenant }: Ground, { read }: Intent, { applied, catalog }: Plan): Promise<void> {
  const known = columnsToKnow(applied.columns, read.map, { before: catalog, after: catalog });
  if (applied.baseline === null || sameColumns(known, applied.columns)) return;
  await database.withClient(async (client) => {
    await begin(client, tenant);
    await replaceColumns(client, tenant, known);
    await commit(client);
  });
}
