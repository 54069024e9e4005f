import type pg from 'pg';
import { SafekeepError } from '@safekeep/core';
import type { Field } from '../model.ts';
import type { Phase } from '../rules/life.ts';
import { mayFollow } from '../rules/life.ts';
import type { Answer } from '../rules/refusals.ts';
import { addColumns, countCiphertext, createTriggers, lockAgainstWrites, lockToAlter, runAll } from '../store/definition.ts';
import { partsThatCameLater } from '../store/partitions.ts';
import { findField, insertField, readField, updateField, type Change } from '../store/records.ts';
import { countLeft, countValues } from '../store/rows.ts';
import { createView } from '../store/view.ts';
import {
  buildIndexes,
  follow,
  inTransaction,
  nameOf,
  NotYet,
  reading,
  requireUnaltered,
  unlessTooEarly,
  withLease,
  type Ground,
} from './ground.ts';
import { comparing, LOCKED_ROWS, sealing, sweep, sweepOnce, walk, walkParts } from './passes.ts';
import { planField, type FieldOrder, type FieldPlan } from './plan-field.ts';

export type Encrypted = { readonly field: Field; readonly answers: readonly Answer[] };

/**
 * Encrypts a column that an application is using, up to `switched`: readers take the ciphertext, the plaintext still stands.
 * Goes on from wherever an interrupted run came to. `agree` sees the plan before anything is touched.
 *
 * @throws `field-missing`, `field-unfit`, `field-search-unsafe`, `field-busy`, `field-changed`, `field-rows-locked`,
 *   `field-not-equal`, `field-values-differ`, `field-going-back`, `lock-timeout`, and what `agree` and the keys throw.
 */
export async function encryptField(
  ground: Ground,
  order: FieldOrder,
  agree: (plan: FieldPlan) => Promise<void>,
): Promise<Encrypted> {
  const known = await reading(ground, (client) => findField(client, ground.tenant, order.column));
  if (known !== undefined) {
    if (known.direction === 'out') throw new SafekeepError('field-going-back', { field: nameOf(known) });
    return { field: await withLease(ground, known, (held) => advance(held, known, order.until)), answers: [] };
  }
  const plan = await planField(ground, order);
  await agree(plan);
  const field = await inTransaction(ground, plan.field, async (client) => {
    await insertField(client, plan.field, ground.clock.now());
    return plan.field;
  });
  return { field: await withLease(ground, field, (held) => advance(held, field, order.until)), answers: plan.answers };
}

/** One committed step after the other. Each reads the record anew: what it says is what was committed. */
async function advance(ground: Ground, known: Field, until: Phase | undefined): Promise<Field> {
  for (let field = await fresh(ground, known); ; field = await fresh(ground, field)) {
    ground.observe('phase', field, { done: field.done, total: field.total });
    const step = STEPS[field.phase];
    if (step === undefined || field.phase === until) return field;
    await step(ground, field);
  }
}

export async function fresh(ground: Ground, field: Pick<Field, 'tenant' | 'id' | 'table' | 'column'>): Promise<Field> {
  const found = await reading(ground, (client) => readField(client, field));
  if (found === undefined) throw new SafekeepError('field-unknown', { field: nameOf(field) });
  return found;
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
  'backfilling': async (ground, field) => {
    await walk(ground, field, sealing);
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
 * A partition that was without our triggers for a while is compared first: readers of the ciphertext would lose what was written into it.
 */
async function switchReaders(ground: Ground, field: Field): Promise<void> {
  const compared = new Set<string>();
  const cameLater = async (client: pg.ClientBase) =>
    (await partsThatCameLater(client, field)).filter(({ mark }) => !compared.has(mark));
  for (;;) {
    const later = await reading(ground, cameLater);
    await walkParts(ground, field, { pass: comparing, parts: later.map(({ part }) => part) });
    for (const { mark } of later) compared.add(mark);
    await sweep(ground, field, sealing);
    const switched = await unlessTooEarly(() =>
      inTransaction(ground, field, async (client) => {
        await (field.mode === 'database' ? lockToAlter : lockAgainstWrites)(client, field);
        ground.observe('locked', field, { done: field.done, total: field.total });
        await requireUnaltered(client, field);
        if ((await cameLater(client)).length > 0) throw new NotYet();
        const { found, done } = await sweepOnce(client, ground, { field, pass: sealing, atMost: LOCKED_ROWS });
        if (found !== done || (await countLeft(client, field, 'unsealed')) > 0) throw new NotYet();
        await runAll(client, countCiphertext(field, 'switched'));
        if (field.mode === 'database') await createView(client, field);
        await updateField(client, field, { phase: 'switched', at: ground.clock.now() });
      }),
    );
    if (switched) return;
  }
}
