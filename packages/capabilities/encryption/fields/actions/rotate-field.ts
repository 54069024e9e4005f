import { SafekeepError, type ColumnRef } from '@safekeep/core';
import { outlastWriters } from '../../store/writers.ts';
import type { Census, Field } from '../model.ts';
import { isAtLeast } from '../rules/life.ts';
import { updateField } from '../store/records.ts';
import { census, countValues } from '../store/rows.ts';
import {
  inTransaction,
  leaseOf,
  nameOf,
  patienceOf,
  reading,
  requireNoneApart,
  untilHeard,
  withLease,
  type Ground,
} from './ground.ts';
import { fresh, freshOf, knownField } from './known.ts';
import { resealing } from './passes.ts';
import { aboutOne, allTogether, askedFor, eachAlone, goingOn, theOnly, type Stopped, type Together } from './together.ts';
import { sweep, walk } from './walk.ts';

export type Rotated = { readonly field: Field; readonly census: readonly Census[]; readonly currentKeyId: string };

type Rotating<Asked> = { readonly agree: (asked: Asked) => Promise<void>; readonly resume: boolean };

/** Passes over the table. Each finds only what was written meanwhile by those who still had the old key. */
const PASSES_AT_MOST = 10;

/**
 * Gives the field a new data key and puts every value under it: done only when the headers in the data name no other key, and nobody
 * is left who would write under another. Whoever had the old one in memory has it for a lease at most.
 * With `resume` the key that is current now is taken, as after an interrupted rotation.
 */
export async function rotateField(ground: Ground, column: ColumnRef, { agree, resume }: Rotating<Field>): Promise<Rotated> {
  return theOnly(await rotateFields(ground, [column], { agree: aboutOne(agree), resume }));
}

/**
 * {@link rotateField} for several columns, each under a new key of its own: the rows of a table are gone through once for all of its columns.
 * What stops one of them is told, and the others go on.
 *
 * @throws `field-busy`, and what `agree` throws.
 */
export async function rotateFields(
  ground: Ground,
  columns: readonly ColumnRef[],
  { agree, resume }: Rotating<readonly Field[]>,
): Promise<Together<Rotated>> {
  const stopped: Stopped = new Map();
  const fields = await eachAlone(ground, askedFor(columns), { stopped, run: ({ ref }) => rotatable(ground, ref) });
  if (fields.length === 0) return { moved: [], stopped };
  await agree(fields);
  return await withLease(ground, fields, async (held) => {
    if (!resume) await eachAlone(held, fields, { stopped, run: (field) => held.keys.rotate(field) });
    const keyIds = new Map<Field['id'], string>();
    const run = async (field: Field): Promise<void> => {
      keyIds.set(field.id, await held.keys.currentKeyId(field));
      await startAgain(held, field);
    };
    await eachAlone(held, fields, { stopped, run });
    const keyIdOf = ({ id }: Pick<Field, 'id'>): string => keyIds.get(id) ?? '';
    const pass = resealing(keyIdOf);
    await allTogether(held, fields, { stopped, run: async (some) => walk(held, await freshOf(held, some), pass) });
    const settle = (isLast: boolean): Promise<readonly Rotated[]> =>
      eachAlone(held, fields, {
        stopped,
        run: async (field) => {
          if (isLast) await outlast(held, field);
          return await settled(held, field, keyIdOf(field));
        },
      });
    if (leaseOf(held) === 0) return { moved: await settle(true), stopped };
    await settle(false);
    const [first] = goingOn(fields, stopped);
    if (first === undefined) return { moved: [], stopped };
    await untilHeard(held, first);
    return { moved: await settle(true), stopped };
  });
}

/**
 * Transactions that have written under the key before, and in the database mode those that were begun with it, end before values are
 * counted for the last time.
 *
 * @throws `field-key-in-use`
 */
async function outlast(ground: Ground, field: Field): Promise<void> {
  const { tries, pauseMs } = patienceOf(ground);
  const table = field.mode === 'client' ? field.table : null;
  if (await outlastWriters(ground.database, { table, tries, pauseMs, signal: ground.signal })) return;
  throw new SafekeepError('field-key-in-use', { field: nameOf(field) });
}

async function rotatable(ground: Ground, column: ColumnRef): Promise<Field> {
  const known = await knownField(ground, column);
  if (!isAtLeast(known.phase, 'backfilling'))
    throw new SafekeepError('field-not-switched', { field: nameOf(known), phase: known.phase });
  await reading(ground, (client) => requireNoneApart(client, known));
  return known;
}

async function startAgain(ground: Ground, field: Field): Promise<void> {
  const total = await reading(ground, (client) => countValues(client, field, 'sealed'));
  const at = ground.clock.now();
  await inTransaction(ground, field, (client) => updateField(client, field, { nextPage: 0, done: 0, verified: 0, total, at }));
}

/** Sweeps until the headers in the data name this key alone. @throws `field-key-in-use`, `field-partition-detached` */
async function settled(ground: Ground, field: Field, keyId: string): Promise<Rotated> {
  for (let pass = 1; pass <= PASSES_AT_MOST; pass += 1) {
    await sweep(
      ground,
      field,
      resealing(() => keyId),
    );
    const counted = await reading(ground, (client) => census(client, field));
    if (counted.some((each) => each.keyId !== keyId)) continue;
    await reading(ground, (client) => requireNoneApart(client, field));
    return { field: await fresh(ground, field), census: counted, currentKeyId: keyId };
  }
  throw new SafekeepError('field-key-in-use', { field: nameOf(field) });
}
