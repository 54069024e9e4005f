import type { ColumnRef } from '@safekeep/core';
import type { Field } from '../model.ts';
import type { Phase } from '../rules/life.ts';
import { residueOf } from '../rules/residue.ts';
import {
  addChecks,
  createTriggers,
  dropChecks,
  dropLeftIndex,
  dropNotNull,
  forget,
  lockToAlter,
  runAll,
  validateChecks,
} from '../store/definition.ts';
import { partsOf } from '../store/partitions.ts';
import { updateField } from '../store/records.ts';
import { countLeft, countValues } from '../store/rows.ts';
import { runAlone } from '../store/session.ts';
import { copiesOf } from '../store/surroundings.ts';
import {
  closing,
  follow,
  inTransaction,
  NotYet,
  reading,
  requireNoneApart,
  requireUnaltered,
  requireUnlogged,
  untilHeard,
  withLease,
  type Ground,
} from './ground.ts';
import { fresh, inPhase, switchedField } from './known.ts';
import { nulling, sealing } from './passes.ts';
import { refuseSubscriptions } from './plan-field.ts';
import { aboutOne, allTogether, askedFor, eachAlone, theOnly, type Stopped, type Together } from './together.ts';
import { sweep, sweepLast, walk } from './walk.ts';

export type Finished = { readonly field: Field; readonly residue: readonly string[] };

/**
 * Takes the plaintext away: from now on it is refused, and what stands there goes row by row, each only after its ciphertext
 * was opened and found equal. Then the database proves it by constraints. `decrypt` still brings everything back.
 *
 * @throws `field-unknown`, `field-not-switched`, and what encryptField throws.
 */
export async function finishField(ground: Ground, column: ColumnRef, agree: (field: Field) => Promise<void>): Promise<Finished> {
  return theOnly(await finishFields(ground, [column], aboutOne(agree)));
}

/**
 * {@link finishField} for several columns: the rows of a table are gone through once for all of its columns. What stops one of them is
 * told, and the others go on.
 *
 * @throws `field-busy`, and what `agree` throws.
 */
export async function finishFields(
  ground: Ground,
  columns: readonly ColumnRef[],
  agree: (fields: readonly Field[]) => Promise<void>,
): Promise<Together<Finished>> {
  const stopped: Stopped = new Map();
  const known = await eachAlone(ground, askedFor(columns), { stopped, run: ({ ref }) => finishable(ground, ref) });
  const left = known.filter(({ phase }) => phase !== 'finished');
  if (left.length > 0) await agree(left);
  if (known.length > 0) await withLease(ground, known, (held) => finishAll(held, known, stopped));
  const run = async (field: Field): Promise<Finished> => {
    const copies = await reading(ground, (client) => copiesOf(client, { ...field.table, column: field.column }));
    return { field: await fresh(ground, field), residue: residueOf(copies) };
  };
  return { moved: await eachAlone(ground, known, { stopped, run }), stopped };
}

async function finishable(ground: Ground, column: ColumnRef): Promise<Field> {
  const known = await switchedField(ground, column);
  if (known.phase === 'finished') return known;
  await reading(ground, (client) => requireNoneApart(client, known));
  await refuseSubscriptions(ground, known);
  await requireUnlogged(ground, known);
  return known;
}

async function finishAll(ground: Ground, fields: readonly Field[], stopped: Stopped): Promise<void> {
  const alone = (phase: Phase, run: (field: Field) => Promise<unknown>): Promise<readonly unknown[]> =>
    eachAlone(ground, fields, {
      stopped,
      run: async (known) => {
        const field = await fresh(ground, known);
        ground.observe('phase', field, { done: field.done, total: field.total });
        return field.phase === phase && (await run(field));
      },
    });
  for (let isBack = true; isBack;) {
    await alone('switched', (field) => tellClients(ground, field));
    // A client that has not heard of it would read NULL for what is nulled, or written as ciphertext alone.
    const unread = await inPhase(ground, fields, 'unread');
    await untilHeard(
      ground,
      unread.find(({ mode }) => mode === 'client'),
    );
    await alone('unread', (field) => refusePlaintext(ground, field));
    await allTogether(ground, fields, {
      stopped,
      run: async (some) => takePlaintext(ground, await inPhase(ground, some, 'nulled')),
    });
    await alone('nulled', (field) => proveEmpty(ground, field));
    isBack = (await alone('checked', (field) => goBackForPlaintext(ground, field))).includes(true);
  }
  // Looks at every row, and stops neither reads nor writes.
  await alone('checked', (field) => inTransaction(ground, field, (client) => runAll(client, validateChecks(field))));
  await allTogether(ground, fields, { stopped, run: async (some) => forgetAll(ground, await inPhase(ground, some, 'checked')) });
}

/** A table is gone through once for all columns of it. */
async function forgetAll(ground: Ground, fields: readonly Field[]): Promise<void> {
  const [first] = fields;
  if (first === undefined) return;
  for (const statement of forget(first)) await ground.database.withClient((client) => runAlone(client, statement));
  for (const field of fields)
    await inTransaction(ground, field, async (client) => {
      await runAll(client, dropLeftIndex(field));
      await updateField(client, field, { phase: 'finished', at: ground.clock.now() });
    });
}

/** A partition may have been attached since plaintext is refused: what is not sealed in it is sealed first, then it goes with the rest. */
async function takePlaintext(ground: Ground, fields: readonly Field[]): Promise<void> {
  for (const field of fields) {
    if (field.isPartitioned && field.notNull !== null) await allowNulls(ground, field);
    await sweep(ground, field, sealing);
  }
  await walk(ground, fields, nulling);
}

async function proveEmpty(ground: Ground, field: Field): Promise<void> {
  const prepare = async (): Promise<void> => {
    await sweep(ground, field, sealing);
    await sweep(ground, field, nulling);
  };
  const attempt = (): Promise<void> =>
    inTransaction(ground, field, async (client) => {
      await lockToAlter(client, field);
      await requireUnaltered(client, field);
      await requireNoneApart(client, field);
      if ((await countLeft(client, field, 'unsealed')) > 0) throw new NotYet();
      await runAll(client, addChecks(field));
      await updateField(client, field, { phase: 'checked', at: ground.clock.now() });
    });
  await closing(ground, field, { prepare, attempt });
}

/** A partition that was detached before has its NOT NULL still. */
async function allowNulls(ground: Ground, field: Field): Promise<void> {
  await inTransaction(ground, field, async (client) => {
    await lockToAlter(client, field);
    for (const part of await partsOf(client, field)) await runAll(client, dropNotNull(part));
  });
}

/**
 * Plaintext that came with a partition between the last sweep and the checks: under the checks its rows take no ciphertext, so these go
 * once more. Counted without a lock, and before VALIDATE, which would fail at it each time.
 */
async function goBackForPlaintext(ground: Ground, field: Field): Promise<boolean> {
  if (!field.isPartitioned || (await reading(ground, (client) => countValues(client, field, 'plain'))) === 0) return false;
  await inTransaction(ground, field, async (client) => {
    await lockToAlter(client, field);
    await requireUnaltered(client, field);
    await runAll(client, dropChecks(field));
    await updateField(client, field, { phase: 'nulled', nextPage: 0, at: ground.clock.now() });
  });
  return true;
}

async function tellClients(ground: Ground, field: Field): Promise<void> {
  await inTransaction(ground, field, (client) => updateField(client, field, { phase: 'unread', at: ground.clock.now() }));
}

/** Under one short lock against writers: nothing is left without ciphertext, and nothing may come without any more. */
async function refusePlaintext(ground: Ground, field: Field): Promise<void> {
  let total = 0;
  const prepare = async (): Promise<void> => {
    await sweep(ground, field, sealing);
    total = await reading(ground, (client) => countValues(client, field, 'plain'));
  };
  const attempt = (): Promise<void> =>
    inTransaction(ground, field, async (client) => {
      await lockToAlter(client, field);
      await requireUnaltered(client, field);
      await requireNoneApart(client, field);
      await sweepLast(client, ground, { field, pass: sealing, left: 'unsealed' });
      await runAll(client, [...createTriggers(field, 'nulled'), ...dropNotNull(field)]);
      // It may have been encrypted by a Safekeep that left this to the next apply.
      await follow(client, ground, field);
      await updateField(client, field, { phase: 'nulled', nextPage: 0, done: 0, verified: 0, total, at: ground.clock.now() });
    });
  await closing(ground, field, { prepare, attempt });
}
