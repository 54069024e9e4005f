import type pg from 'pg';
import { SafekeepError } from '@safekeep/core';
import type { Field } from '../model.ts';
import type { Phase } from '../rules/life.ts';
import { isAtLeast, mayFollow } from '../rules/life.ts';
import type { Answer } from '../rules/refusals.ts';
import { addColumns, countCiphertext, createTriggers, lockAgainstWrites, lockToAlter, runAll } from '../store/definition.ts';
import { partsThatCameLater } from '../store/partitions.ts';
import { findField, insertField, updateField, type Change } from '../store/records.ts';
import { countValues } from '../store/rows.ts';
import { isWrittenPastTriggers } from '../store/surroundings.ts';
import { createView } from '../store/view.ts';
import {
  buildIndexes,
  closing,
  follow,
  inTransaction,
  nameOf,
  NotYet,
  reading,
  requireAllReached,
  requireUnaltered,
  requireUnlogged,
  withLease,
  type Ground,
} from './ground.ts';
import { fresh, inPhase } from './known.ts';
import { comparing, sealing } from './passes.ts';
import { planField, refuseSubscriptions, type FieldOrder, type FieldPlan } from './plan-field.ts';
import { aboutOne, allTogether, eachAlone, goingOn, theOnly, type Stopped, type Together } from './together.ts';
import { sweep, sweepLast, walk, walkParts } from './walk.ts';

export type Encrypted = { readonly field: Field; readonly answers: readonly Answer[] };

/**
 * Encrypts a column that an application is using, up to `switched`: readers take the ciphertext, the plaintext still stands.
 * Goes on from wherever an interrupted run came to. `agree` sees the plan before anything is touched.
 *
 * @throws `field-missing`, `field-unfit`, `field-search-unsafe`, `field-busy`, `field-changed`, `field-rows-locked`,
 *   `field-not-equal`, `field-values-differ`, `field-values-logged`, `field-going-back`, `lock-timeout`, and what `agree` and the keys throw.
 */
export async function encryptField(
  ground: Ground,
  order: FieldOrder,
  agree: (plan: FieldPlan) => Promise<void>,
): Promise<Encrypted> {
  return theOnly(await encryptFields(ground, [order], aboutOne(agree)));
}

/**
 * {@link encryptField} for several columns, all of them up to where the first is to come: the rows of a table are gone through once for
 * all of its columns. What stops one of them, as an answer of the plan does, is told, and the others go on; `agree` sees their plans.
 *
 * @throws `field-busy`, and what `agree` throws.
 */
export async function encryptFields(
  ground: Ground,
  orders: readonly FieldOrder[],
  agree: (plans: readonly FieldPlan[]) => Promise<void>,
): Promise<Together<Encrypted>> {
  const stopped: Stopped = new Map();
  const asked = orders.map((order) => ({ table: order.column, column: order.column.column, order }));
  const begun: Begun[] = [];
  await eachAlone(ground, asked, { stopped, run: async ({ order }) => void begun.push(await begin(ground, order, begun)) });
  const plans = begun.filter(({ isNew }) => isNew);
  if (plans.length > 0) await agree(plans);
  await eachAlone(
    ground,
    plans.map(({ field }) => field),
    { stopped, run: (field) => record(ground, field) },
  );
  const fields = goingOn(
    begun.map(({ field }) => field),
    stopped,
  );
  if (fields.length > 0) await withLease(ground, fields, (held) => advance(held, fields, { stopped, until: orders[0]?.until }));
  const moved: Encrypted[] = [];
  for (const { field, answers } of begun)
    if (!stopped.has(nameOf(field))) moved.push({ field: await fresh(ground, field), answers });
  return { moved, stopped };
}

type Begun = FieldPlan & { readonly isNew: boolean };

/** The field as it stands, or the plan of it. */
async function begin(ground: Ground, order: FieldOrder, beside: readonly Begun[]): Promise<Begun> {
  const known = await reading(ground, (client) => findField(client, ground.tenant, order.column));
  await requireUnlogged(ground, { table: order.column, column: order.column.column });
  if (known?.direction === 'out') throw new SafekeepError('field-going-back', { field: nameOf(known) });
  if (known !== undefined) {
    if (!isAtLeast(known.phase, 'switched')) await refuseSubscriptions(ground, known);
    return { field: known, answers: [], isNew: false };
  }
  const planned = beside.flatMap(({ field, isNew }) => (isNew ? [field] : []));
  return { ...(await planField(ground, order, planned)), isNew: true };
}

async function record(ground: Ground, field: Field): Promise<void> {
  await inTransaction(ground, field, (client) => insertField(client, field, ground.clock.now()));
}

type Advancing = { readonly stopped: Stopped; readonly until: Phase | undefined };

/** Each by itself to where rows are sealed, then these for all in one walk, then each by itself again. */
async function advance(ground: Ground, fields: readonly Field[], { stopped, until }: Advancing): Promise<void> {
  await eachAlone(ground, fields, { stopped, run: (field) => stepTo(ground, field, until ?? 'backfilling') });
  if (until !== undefined) return;
  const seal = async (some: readonly Field[]): Promise<void> => {
    await walk(ground, await inPhase(ground, some, 'backfilling'), sealing);
  };
  await allTogether(ground, fields, { stopped, run: seal });
  await eachAlone(ground, fields, { stopped, run: (field) => stepTo(ground, field, 'switched') });
}

/** One committed step after the other. Each reads the record anew: what it says is what was committed. */
async function stepTo(ground: Ground, known: Field, phase: Phase): Promise<void> {
  for (let field = await fresh(ground, known); ; field = await fresh(ground, field)) {
    ground.observe('phase', field, { done: field.done, total: field.total });
    const step = STEPS[field.phase];
    if (step === undefined || isAtLeast(field.phase, phase)) return;
    await step(ground, field);
  }
}

type Step = (ground: Ground, field: Field) => Promise<void>;

const STEPS: Partial<Record<Phase, Step>> = {
  'planned': async (ground, field) => {
    // Once it is recorded: of two that plan the same column at once only one makes keys.
    await ground.keys.prepare(field);
    await enter(ground, field, { to: 'added', statements: addColumns(field), isFollowed: true });
  },
  'added': async (ground, field) => {
    await enter(ground, field, { to: 'dual-write', statements: createTriggers(field, 'dual-write') });
  },
  'dual-write': async (ground, field) => {
    const total = await reading(ground, (client) => countValues(client, field, 'plain'));
    await enter(ground, field, { to: 'backfilling', statements: [], change: { total, done: 0, verified: 0, nextPage: 0 } });
  },
  // Its rows were walked, with those of other columns.
  'backfilling': async (ground, field) => {
    await buildIndexes(ground, field, { left: true, search: true });
    await sweep(ground, field, sealing);
    await enter(ground, field, { to: 'verified', statements: [] });
  },
  'verified': switchReaders,
};

type Entering = {
  readonly to: Phase;
  readonly statements: readonly string[];
  readonly change?: Change;
  readonly isFollowed?: boolean;
};

/** The statements of a step and the record of it, committed together. */
async function enter(ground: Ground, field: Field, { to, statements, change = {}, isFollowed = false }: Entering): Promise<void> {
  if (!mayFollow(field.phase, to, 'in')) throw new Error(`A field does not go from ${field.phase} to ${to}`);
  await inTransaction(ground, field, async (client) => {
    if (statements.length > 0) {
      await lockToAlter(client, field);
      await requireUnaltered(client, field);
    }
    await runAll(client, statements);
    if (isFollowed) await follow(client, ground, field);
    await updateField(client, field, { ...change, phase: to, at: ground.clock.now() });
  });
}

/**
 * Under one short lock against writers: the last rows are sealed, it is proved that none is left, and readers are told to take
 * the ciphertext. Where more is left than a batch the lock is given back and the sweep goes on outside of it.
 * A partition that was without our triggers for a while is compared first, and all rows where somebody writes past them: readers of the
 * ciphertext would lose what was written there.
 */
async function switchReaders(ground: Ground, field: Field): Promise<void> {
  if (await reading(ground, (client) => isWrittenPastTriggers(client, field.table)))
    await walk(ground, [{ ...field, nextPage: 0 }], comparing);
  const compared = new Set<string>();
  const cameLater = async (client: pg.ClientBase) =>
    (await partsThatCameLater(client, field)).filter(({ mark }) => !compared.has(mark));
  const prepare = async (): Promise<void> => {
    const later = await reading(ground, cameLater);
    await walkParts(ground, [field], { pass: comparing, parts: later.map(({ part }) => part) });
    for (const { mark } of later) compared.add(mark);
    await sweep(ground, field, sealing);
  };
  const attempt = (): Promise<void> =>
    inTransaction(ground, field, async (client) => {
      await (field.mode === 'database' ? lockToAlter : lockAgainstWrites)(client, field);
      ground.observe('locked', field, { done: field.done, total: field.total });
      await requireUnaltered(client, field);
      await requireAllReached(client, field);
      if ((await cameLater(client)).length > 0) throw new NotYet();
      await sweepLast(client, ground, { field, pass: sealing, left: 'unsealed' });
      await runAll(client, countCiphertext(field, 'switched'));
      if (field.mode === 'database') await createView(client, field);
      await updateField(client, field, { phase: 'switched', at: ground.clock.now() });
    });
  await closing(ground, field, { prepare, attempt });
}
