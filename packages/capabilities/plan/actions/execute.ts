import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import { SafekeepError, type Clock, formatTableName } from '@safekeep/core';
import { type Database } from '@safekeep/postgres';
import type { AppliedObject, DesiredObject, Plan, Step } from '../model.ts';
import { locksOf, partsOf, type Part } from '../rules/parts.ts';
import { definitionSha256, stepSha256 } from '../rules/steps.ts';
import { readLive } from '../store/probe.ts';
import { deleteObjects, upsertObjects, type RunOfTenant } from '../store/records.ts';
import { finishSteps, startStep, updateLeftStructure, type DoneStep } from '../store/runs.ts';
import { begin, commit, limitLockWaits, lockTables, runStatement } from '../store/session.ts';
import { applyFailure, isBlocked, lockTimeout, StepFailed, type Reached } from './failures.ts';

/** Told as a run goes on. `committing`: all steps of a transaction ran. */
export type Moment = 'recorded' | 'begun' | 'ran' | 'committing' | 'committed';
export type Observer = (
  moment: Moment,
  place: { readonly done: number; readonly total: number; readonly step: Step | null },
) => void;

/** Where and for whom changes are made. */
export type Ground = {
  readonly database: Database;
  readonly tenant: string;
  readonly clock: Clock;
  /** A run stops between transactions, never inside of one. */
  readonly signal: AbortSignal;
  readonly observe: Observer;
  /** How hard to try for a lock; {@link PATIENCE} unless said otherwise. */
  readonly patience?: Patience;
};

/** While a lock is waited for, everybody who comes later and wants the table waits behind us: short tries, with pauses between. */
export type Patience = { readonly tries: number; readonly lockTimeoutMs: number; readonly pauseMs: number };

const PATIENCE: Patience = { tries: 5, lockTimeoutMs: 3000, pauseMs: 200 };

export type Run = {
  readonly id: RunOfTenant;
  readonly plan: Plan;
  /** Plans afresh on this connection, under the locks. */
  readonly replan: (client: pg.ClientBase) => Promise<Plan>;
  /** In the transaction of the first steps, before them. */
  readonly opening: (client: pg.ClientBase, fresh: Plan) => Promise<void>;
  /** In the transaction of the last steps, after them. */
  readonly closing: (client: pg.ClientBase) => Promise<void>;
};

export function secondsSince({ clock }: Pick<Ground, 'clock'>, startMs: number): number {
  return (clock.elapsedMs() - startMs) / 1000;
}

/**
 * Runs the steps of a plan: as one transaction where PostgreSQL allows and it is not too large, otherwise as several. Before
 * each the tables are locked and the plan is made again: what is not exactly the plan any more is not run.
 */
export async function execute(ground: Ground, run: Run): Promise<void> {
  const parts = partsOf(run.plan.steps);
  if (parts.length === 0) await runNothing(ground, run);
  let done = 0;
  for (const part of parts) {
    ground.signal.throwIfAborted();
    const place: Place = { done, isLast: part === parts.at(-1) };
    const attempt = part[0].runsIn === 'alone' ? runAlone : runTogether;
    const waiting = { part, reached: { done, total: run.plan.steps.length }, patience: ground.patience ?? PATIENCE };
    await retryingLocks(waiting, () => attempt(ground, run, { ...place, part }));
    done += part.length;
  }
}

type Place = { readonly done: number; readonly isLast: boolean };
type Placed = Place & { readonly part: Part };

type Waiting = { readonly part: Part; readonly reached: Reached; readonly patience: Patience };

async function retryingLocks({ part, reached, patience }: Waiting, attempt: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (!isBlocked(error)) throw applyFailure(error, reached);
      if (tries === patience.tries) throw lockTimeout(error, { target: blockedTarget(error, part), tries, reached });
      // Jitter: two that wait for each other must not meet again.
      await wait(patience.pauseMs * tries * (0.5 + Math.random()));
    }
  }
}

/** Nothing is left to take out, and that is to be recorded. */
async function runNothing({ database, tenant }: Ground, run: Run): Promise<void> {
  await database.withClient(async (client) => {
    await begin(client, tenant);
    await openPart(client, run, 0);
    await run.closing(client);
    await commit(client);
  });
}

/** A failure inside throws the connection away, and with it everything that was done here. */
async function runTogether(ground: Ground, run: Run, { part, done, isLast }: Placed): Promise<void> {
  const { database, tenant, observe, clock } = ground;
  const total = run.plan.steps.length;
  await database.withClient(async (client) => {
    await begin(client, tenant);
    await limitLockWaits(client, (ground.patience ?? PATIENCE).lockTimeoutMs);
    await lockTables(client, locksOf(part, run.plan.catalog));
    await openPart(client, run, done);
    const finished: DoneStep[] = [];
    for (const [index, step] of part.entries()) {
      observe('begun', { done: done + index, total, step });
      const startedAt = clock.now();
      await runStep(client, step);
      finished.push({ position: done + index + 1, startedAt, finishedAt: clock.now() });
      observe('ran', { done: done + index + 1, total, step });
    }
    await closePart(client, run, { part, finished, isLast, at: clock.now() });
    observe('committing', { done: done + part.length, total, step: null });
    await commit(client);
  });
  observe('committed', { done: done + part.length, total, step: null });
}

/** Three transactions: the mark that it began, the statements as PostgreSQL wants them, the record that it stands. */
async function runAlone(ground: Ground, run: Run, { part, done, isLast }: Placed): Promise<void> {
  const { database, tenant, observe, clock } = ground;
  const [step] = part;
  const total = run.plan.steps.length;
  const startedAt = clock.now();
  await database.withClient(async (client) => {
    await begin(client, tenant);
    await openPart(client, run, done);
    await markBegun(client, run, { step, position: done + 1, at: startedAt });
    await commit(client);
    observe('begun', { done, total, step });
    await runStep(client, step);
    observe('ran', { done: done + 1, total, step });
    await begin(client, tenant);
    const at = clock.now();
    await closePart(client, run, { part, finished: [{ position: done + 1, startedAt, finishedAt: at }], isLast, at });
    await commit(client);
  });
  observe('committed', { done: done + 1, total, step: null });
}

/** Before anything is made that no transaction takes back: after a kill both apply and unapply know of it. */
async function markBegun(
  client: pg.ClientBase,
  run: Run,
  { step, position, at }: { readonly step: Step; readonly position: number; readonly at: Date },
): Promise<void> {
  await startStep(client, run.id, { position, at });
  await updateLeftStructure(client, run.id, null);
  if (step.action !== 'create' && step.action !== 'replace') return;
  await upsertObjects(client, run.id, { at, objects: [asApplied(desiredOf(run.plan, step.object), null)] });
}

async function openPart(client: pg.ClientBase, run: Run, done: number): Promise<void> {
  const fresh = await run.replan(client);
  requireSame(run.plan, fresh, done);
  if (done === 0) await run.opening(client, fresh);
}

/** Before the first step everything must be as it was planned; later what is left to do must be. */
function requireSame(plan: Plan, fresh: Plan, done: number): void {
  const left = plan.steps.slice(done).map(stepSha256);
  const found = fresh.steps.map(stepSha256);
  const same = left.length === found.length && left.every((sha256, place) => sha256 === found[place]);
  if (!same || (done === 0 && plan.hash !== fresh.hash)) {
    throw new SafekeepError('plan-outdated', {
      difference: `the plan is now ${fresh.hash.slice(0, 12)}, not ${plan.hash.slice(0, 12)}`,
    });
  }
}

async function runStep(client: pg.ClientBase, step: Step): Promise<void> {
  try {
    for (const statement of step.sql) await runStatement(client, statement);
  } catch (error) {
    throw new StepFailed(step, error);
  }
}

type Finish = { readonly part: Part; readonly finished: readonly DoneStep[]; readonly isLast: boolean; readonly at: Date };

async function closePart(client: pg.ClientBase, run: Run, { part, finished, isLast, at }: Finish): Promise<void> {
  const lost = part.filter(({ action }) => action === 'remove' || action === 'forget').map(({ object }) => object);
  const made = part
    .filter(({ action }) => action === 'create' || action === 'replace')
    .map(({ object }) => desiredOf(run.plan, object));
  if (lost.length > 0) await deleteObjects(client, run.id.tenant, lost);
  if (made.length > 0) await upsertObjects(client, run.id, { at, objects: await readApplied(client, made) });
  await finishSteps(client, run.id, finished);
  if (isLast) await run.closing(client);
  else await updateLeftStructure(client, run.id, (await run.replan(client)).structure);
}

/** With what their probes read now, in the same transaction. */
async function readApplied(client: pg.ClientBase, made: readonly DesiredObject[]): Promise<readonly AppliedObject[]> {
  const live = await readLive(client, made);
  return made.map((object) => {
    const found = live.get(object.id);
    // Its statements went through: either they make something else, or its probe looks elsewhere.
    if (found === undefined) throw new Error(`${object.id} was made and its probe does not see it`);
    return asApplied(object, found.state);
  });
}

export function asApplied(object: DesiredObject, state: string | null): AppliedObject {
  const { id, kind, target, remove, probe, locks, restores, reversible, runsIn, dependsOn } = object;
  return {
    id,
    kind,
    target,
    remove,
    probe,
    locks,
    restores,
    reversible,
    runsIn,
    dependsOn,
    definitionSha256: definitionSha256(object),
    state,
  };
}

function desiredOf(plan: Plan, id: string): DesiredObject {
  const object = plan.desired.get(id);
  if (object === undefined) throw new Error(`The plan makes ${id} and does not say what it is`);
  return object;
}

function blockedTarget(error: unknown, part: Part): string {
  if (error instanceof StepFailed) return error.step.target;
  const tables = [...new Set(part.flatMap(({ locks }) => locks.map(formatTableName)))];
  return tables.length === 1 && tables[0] !== undefined ? tables[0] : `one of ${tables.length} tables`;
}
