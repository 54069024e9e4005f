import { SafekeepError, type ColumnRef } from '@safekeep/core';
import type { Field } from '../model.ts';
import { isAtLeast } from '../rules/life.ts';
import {
  addPresenceCheck,
  createLeftIndex,
  createTriggers,
  dropChecks,
  dropColumns,
  dropLeftIndex,
  dropTriggers,
  lockToAlter,
  restoreNotNull,
  runAll,
  validatePresence,
  validIndexes,
} from '../store/definition.ts';
import { objectName } from '../store/names.ts';
import { deleteField, findField, updateField } from '../store/records.ts';
import { countLeft, countValues } from '../store/rows.ts';
import { notePlaintextBack } from '../store/session.ts';
import { createView, dropView, othersShown } from '../store/view.ts';
import { refuseInCompound } from './compound-of.ts';
import { fresh } from './encrypt-field.ts';
import {
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
import { refuseReaders } from './readers-of-view.ts';
import { LOCKED_ROWS, opening, sweep, sweepOnce, walk } from './passes.ts';

/**
 * All the way back from any phase: plaintext is given back row by row, each compared with what was opened, then everything of
 * ours goes. The schema is as before the first step. Goes on from wherever an interrupted run came to.
 *
 * @throws `field-unknown`, `field-unfit` where it is searched together with others, `field-busy`, `field-changed`, `field-rows-locked`, `field-not-equal`, `lock-timeout`.
 */
export async function decryptField(ground: Ground, column: ColumnRef, agree: (field: Field) => Promise<void>): Promise<Field> {
  const known = await reading(ground, (client) => findField(client, ground.tenant, column));
  if (known === undefined) throw new SafekeepError('field-unknown', { field: nameOf({ table: column, column: column.column }) });
  await refuseInCompound(ground, known);
  await refuseReaders(ground, known);
  await agree(known);
  return await withLease(ground, known, async (held) => {
    const field = await fresh(held, known);
    if (field.phase === 'planned') {
      await inTransaction(held, field, (client) => deleteField(client, field));
      return { ...field, direction: 'out' };
    }
    const loose = await takePlaintextAgain(held, field);
    await giveBack(held, loose);
    const counted = await fresh(held, loose);
    await takeOut(held, loose);
    return { ...counted, phase: 'planned' };
  });
}

/** Under one short lock: plaintext is taken again, and what is written as ciphertext only is marked as not opened. */
async function takePlaintextAgain(ground: Ground, field: Field): Promise<Field> {
  if (field.direction === 'out') return field;
  const total = await reading(ground, (client) => countValues(client, field, 'sealed'));
  await inTransaction(ground, field, async (client) => {
    await lockToAlter(client, field);
    await requireUnaltered(client, field);
    // Readers go on taking the ciphertext until every plaintext stands; a field that never switched never did.
    const phase = isAtLeast(field.phase, 'switched') ? 'switched' : 'dual-write';
    await runAll(client, [...dropChecks(field), ...createTriggers(field, phase)]);
    await follow(client, ground, field);
    await updateField(client, field, { direction: 'out', phase, nextPage: 0, done: 0, verified: 0, total, at: ground.clock.now() });
  });
  return await fresh(ground, field);
}

async function giveBack(ground: Ground, field: Field): Promise<void> {
  ground.observe('phase', field, { done: field.done, total: field.total });
  await walk(ground, field, opening);
  const there = await reading(ground, (client) => validIndexes(client, field));
  if (!there.has(objectName('left', field)))
    for (const statement of createLeftIndex(field)) await ground.database.withClient((client) => runAll(client, [statement]));
  await sweep(ground, field, opening);
  if (field.notNull === null) return;
  await inTransaction(ground, field, (client) => runAll(client, addPresenceCheck(field)));
  // Those that a client wrote before the check who did not know yet that plaintext is wanted again.
  await sweep(ground, field, opening);
  await inTransaction(ground, field, (client) => runAll(client, validatePresence(field)));
}

/** Under one short lock: the last plaintexts are given back, it is proved that none is missing, and all of ours goes. */
async function takeOut(ground: Ground, field: Field): Promise<void> {
  for (;;) {
    await sweep(ground, field, opening);
    const out = await unlessTooEarly(() =>
      inTransaction(ground, field, async (client) => {
        await lockToAlter(client, field);
        const kept = await dropView(client, field);
        await requireUnaltered(client, field);
        const swept = await sweepOnce(client, ground, { field, pass: opening, atMost: LOCKED_ROWS });
        if (swept.found !== swept.done || (await countLeft(client, field, 'unopened')) > 0) throw new NotYet();
        const [other] = await othersShown(client, field);
        await runAll(client, [
          ...dropTriggers(field),
          ...dropLeftIndex(field),
          ...dropChecks(field),
          ...restoreNotNull(field),
          ...dropColumns(field),
        ]);
        await follow(client, ground, field);
        await notePlaintextBack(client, field);
        await deleteField(client, field);
        if (other !== undefined) await createView(client, other, kept);
      }),
    );
    if (out) return;
  }
}
