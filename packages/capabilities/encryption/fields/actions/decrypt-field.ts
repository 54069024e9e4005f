import type { ColumnRef } from '@safekeep/core';
import type { Field } from '../model.ts';
import { isAtLeast } from '../rules/life.ts';
import {
  addPresenceCheck,
  createTriggers,
  dropChecks,
  dropColumns,
  dropLeftIndex,
  dropTriggers,
  lockAgainstWrites,
  lockToAlter,
  restoreNotNull,
  runAll,
  validatePresence,
} from '../store/definition.ts';
import { deleteField, updateField } from '../store/records.ts';
import { countValues } from '../store/rows.ts';
import { notePlaintextBack } from '../store/session.ts';
import { createView, dropView, othersShown } from '../store/view.ts';
import { refuseInCompound } from './compound-of.ts';
import {
  buildIndexes,
  closing,
  follow,
  inTransaction,
  reading,
  requireNoneApart,
  requireUnaltered,
  requireUnlogged,
  untilHeard,
  withLease,
  type Ground,
} from './ground.ts';
import { fresh, freshOf, knownField } from './known.ts';
import { refuseReaders } from './readers-of-view.ts';
import { opening } from './passes.ts';
import { aboutOne, allTogether, askedFor, eachAlone, goingOn, theOnly, type Stopped, type Together } from './together.ts';
import { sweep, sweepLast, walk } from './walk.ts';

/**
 * All the way back from any phase: plaintext is given back row by row, each compared with what was opened, then everything of
 * ours goes. The schema is as before the first step. Goes on from wherever an interrupted run came to.
 *
 * @throws `field-unknown`, `field-unfit` where it is searched together with others, `field-busy`, `field-changed`, `field-rows-locked`, `field-not-equal`,
 *   `field-values-differ`, `field-values-logged`, `field-inherited`, `field-rows-hidden`, `field-partition-detached`, `lock-timeout`.
 */
export async function decryptField(ground: Ground, column: ColumnRef, agree: (field: Field) => Promise<void>): Promise<Field> {
  return theOnly(await decryptColumns(ground, [column], aboutOne(agree)));
}

/**
 * {@link decryptField} for several columns. What stops one of them is told, and the others go on.
 *
 * @throws `field-busy`, and what `agree` throws.
 */
export async function decryptColumns(
  ground: Ground,
  columns: readonly ColumnRef[],
  agree: (fields: readonly Field[]) => Promise<void>,
): Promise<Together<Field>> {
  const stopped: Stopped = new Map();
  const fields = await eachAlone(ground, askedFor(columns), { stopped, run: ({ ref }) => decryptable(ground, ref) });
  if (fields.length > 0) await agree(fields);
  return await decryptFields(ground, fields, stopped);
}

async function decryptable(ground: Ground, column: ColumnRef): Promise<Field> {
  const known = await knownField(ground, column);
  await refuseInCompound(ground, known);
  await refuseReaders(ground, known);
  await reading(ground, (client) => requireNoneApart(client, known));
  return known;
}

/**
 * Several columns that were agreed to, stretch by stretch: between these clients are waited for, once for all columns. In the first they
 * hear that plaintext is wanted again beside the ciphertext; from a lease later on nobody writes ciphertext alone. In the second they are
 * told of the field no more; from a lease later on nobody names its columns, and these go.
 *
 * @throws `field-busy`.
 */
export async function decryptFields(
  ground: Ground,
  fields: readonly Field[],
  stopped: Stopped = new Map(),
): Promise<Together<Field>> {
  const fit = async (field: Field): Promise<void> => {
    await reading(ground, (client) => requireNoneApart(client, field));
    await requireUnlogged(ground, field);
  };
  await eachAlone(ground, fields, { stopped, run: fit });
  const out = new Map<Field['id'], Field>();
  const left = (): readonly Field[] => goingOn(fields, stopped).filter(({ id }) => !out.has(id));
  await withLease(ground, left(), async (held) => {
    for (const field of await giveBackAll(held, left(), stopped)) out.set(field.id, field);
  });
  const stretch = (run: (held: Ground, field: Field) => Promise<void>): Promise<unknown> =>
    withLease(ground, left(), (held) =>
      eachAlone(held, left(), { stopped, run: async (known) => run(held, await fresh(held, known)) }),
    );
  const given = await freshOf(ground, left());
  const [isFirst, isSecond] = [
    given.some((field) => field.mode === 'client' && isTold(field)),
    given.some(({ mode }) => mode === 'client'),
  ];
  if (isFirst) await untilHeard(ground, given[0]);
  await stretch(leave);
  if (isSecond) await untilHeard(ground, given[0]);
  await stretch(async (held, field) => {
    await takeOut(held, field);
    out.set(field.id, { ...field, phase: 'planned' });
  });
  return { moved: fields.flatMap(({ id }) => out.get(id) ?? []), stopped };
}

/** The rows of a table are gone through once for all columns of it. Answers those that were only planned, and are out already. */
async function giveBackAll(ground: Ground, fields: readonly Field[], stopped: Stopped): Promise<readonly Field[]> {
  const out: Field[] = [];
  const alone = (run: (field: Field) => Promise<void>): Promise<unknown> =>
    eachAlone(
      ground,
      fields.filter(({ id }) => out.every((each) => each.id !== id)),
      {
        stopped,
        run: async (known) => run(await fresh(ground, known)),
      },
    );
  await alone(async (field) => {
    if (field.phase !== 'planned') return isTold(field) ? await takePlaintextAgain(ground, field) : undefined;
    await inTransaction(ground, field, (client) => deleteField(client, field));
    out.push({ ...field, direction: 'out' });
  });
  const open = async (some: readonly Field[]): Promise<void> => {
    const told = (await freshOf(ground, some)).filter(isTold);
    for (const field of told) ground.observe('phase', field, { done: field.done, total: field.total });
    await walk(ground, told, opening);
  };
  await allTogether(
    ground,
    fields.filter(({ id }) => out.every((each) => each.id !== id)),
    { stopped, run: open },
  );
  await alone(async (field) => {
    if (!isTold(field)) return;
    await buildIndexes(ground, field, { left: true, search: false });
    await sweep(ground, field, opening);
  });
  return out;
}

/** Clients are told of a field from `dual-write` on; on the way back `added` says that they are told no more. */
function isTold({ direction, phase }: Pick<Field, 'direction' | 'phase'>): boolean {
  return direction === 'in' || isAtLeast(phase, 'dual-write');
}

/** Under one short lock: plaintext is taken again, and what is written as ciphertext only is marked as not opened. */
async function takePlaintextAgain(ground: Ground, field: Field): Promise<void> {
  if (field.direction === 'out') return;
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
}

/**
 * Under one short lock against writers it is proved that every plaintext stands, and from then on clients take the column for a plain
 * one. Our triggers still keep both together, for those who have not heard of it.
 */
async function leave(ground: Ground, field: Field): Promise<void> {
  if (!isTold(field)) return;
  if (field.notNull !== null) {
    await inTransaction(ground, field, (client) => runAll(client, addPresenceCheck(field)));
    // Those that were written before the check by a client who had been silent for longer than a lease, or was not waited for.
    await sweep(ground, field, opening);
    await inTransaction(ground, field, (client) => runAll(client, validatePresence(field)));
  }
  // Sessions of the database mode have nothing to hear of: their view goes with the rest.
  if (field.mode === 'database') return;
  const attempt = (): Promise<void> =>
    inTransaction(ground, field, async (client) => {
      await lockAgainstWrites(client, field);
      await requireUnaltered(client, field);
      await sweepLast(client, ground, { field, pass: opening, left: 'unopened' });
      await updateField(client, field, { phase: 'added', at: ground.clock.now() });
    });
  await closing(ground, field, { prepare: () => sweep(ground, field, opening), attempt });
}

/** Under one short lock: the last plaintexts are given back, it is proved that none is missing, and all of ours goes. */
async function takeOut(ground: Ground, field: Field): Promise<void> {
  const attempt = (): Promise<void> =>
    inTransaction(ground, field, async (client) => {
      await lockToAlter(client, field);
      const kept = await dropView(client, field);
      await requireUnaltered(client, field);
      await requireNoneApart(client, field);
      await sweepLast(client, ground, { field, pass: opening, left: 'unopened' });
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
    });
  await closing(ground, field, { prepare: () => sweep(ground, field, opening), attempt });
}
