import { setTimeout as wait } from 'node:timers/promises';
import { SafekeepError, type ColumnRef } from '@safekeep/core';
import type { Census, Field } from '../model.ts';
import { isAtLeast } from '../rules/life.ts';
import { findField, updateField } from '../store/records.ts';
import { census, countValues } from '../store/rows.ts';
import { fresh } from './encrypt-field.ts';
import { inTransaction, LEASE_MS, nameOf, reading, requireNoneApart, withLease, type Ground } from './ground.ts';
import { resealing, sweep, walk } from './passes.ts';

export type Rotated = { readonly field: Field; readonly census: readonly Census[]; readonly currentKeyId: string };

/** Passes over the table. Each finds only what was written meanwhile by those who still had the old key. */
const PASSES_AT_MOST = 10;

/**
 * Gives the field a new data key and puts every value under it: done only when the headers in the data name no other key, and nobody
 * is left who would write under another. Whoever had the old one in memory has it for a lease at most.
 * With `resume` the key that is current now is taken, as after an interrupted rotation.
 */
export async function rotateField(
  ground: Ground,
  column: ColumnRef,
  { agree, resume }: { readonly agree: (field: Field) => Promise<void>; readonly resume: boolean },
): Promise<Rotated> {
  const known = await reading(ground, (client) => findField(client, ground.tenant, column));
  if (known === undefined) throw new SafekeepError('field-unknown', { field: nameOf({ table: column, column: column.column }) });
  if (!isAtLeast(known.phase, 'backfilling'))
    throw new SafekeepError('field-not-switched', { field: nameOf(known), phase: known.phase });
  await reading(ground, (client) => requireNoneApart(client, known));
  await agree(known);
  return await withLease(ground, known, async (held) => {
    if (!resume) await held.keys.rotate(known);
    const keyId = await held.keys.currentKeyId(known);
    const total = await reading(held, (client) => countValues(client, known, 'sealed'));
    const at = held.clock.now();
    await inTransaction(held, known, (client) => updateField(client, known, { nextPage: 0, done: 0, verified: 0, total, at }));
    const field = await fresh(held, known);
    await walk(held, field, resealing(keyId));
    let isKnown = (held.leaseMs ?? LEASE_MS) === 0;
    for (let pass = 1; ; pass += 1) {
      await sweep(held, field, resealing(keyId));
      const counted = await reading(held, (client) => census(client, field));
      if (counted.every((each) => each.keyId === keyId)) {
        if (!isKnown) {
          held.observe('waiting', field, { done: field.done, total: field.total });
          await wait(held.leaseMs ?? LEASE_MS, undefined, { signal: held.signal });
          isKnown = true;
          continue;
        }
        await reading(held, (client) => requireNoneApart(client, field));
        return { field: await fresh(held, field), census: counted, currentKeyId: keyId };
      }
      if (pass === PASSES_AT_MOST) throw new SafekeepError('field-key-in-use', { field: nameOf(field) });
    }
  });
}
