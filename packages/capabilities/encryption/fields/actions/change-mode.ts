import type { ColumnRef } from '@safekeep/core';
import type { Field, Mode } from '../model.ts';
import { createTriggers, lockToAlter, runAll } from '../store/definition.ts';
import { updateField } from '../store/records.ts';
import { createView, dropView, othersShown } from '../store/view.ts';
import { refuseInCompound } from './compound-of.ts';
import { inTransaction, reading, withLease, type Ground } from './ground.ts';
import { fresh, switchedField } from './known.ts';
import { refuseMode } from './plan-field.ts';
import { refuseReaders } from './readers-of-view.ts';

/**
 * Hands the key from the application to unlocked sessions, or back. Values stay as they are: both modes have one format. One
 * short lock, in which triggers and view change.
 *
 * @throws `field-unknown`, `field-unfit` where it is searched together with others, or the other mode is stopped by what stands there, `field-not-switched`, `field-going-back`, `field-busy`, `lock-timeout`.
 */
export async function changeMode(
  ground: Ground,
  column: ColumnRef,
  { mode, agree }: { readonly mode: Mode; readonly agree: (field: Field) => Promise<void> },
): Promise<Field> {
  const known = await switchedField(ground, column);
  if (known.mode === mode) return known;
  await refuseInCompound(ground, known);
  await refuseMode(ground, known, mode);
  if (mode === 'client' && (await reading(ground, (client) => othersShown(client, known))).length === 0)
    await refuseReaders(ground, known);
  await agree(known);
  return await withLease(ground, [known], async (held) => {
    const field: Field = { ...(await fresh(held, known)), mode };
    await inTransaction(held, field, async (client) => {
      await lockToAlter(client, field);
      await runAll(client, createTriggers(field, field.phase));
      await updateField(client, field, { mode, at: held.clock.now() });
      const [other] = await othersShown(client, field);
      const shown = mode === 'database' ? field : other;
      if (shown === undefined) await dropView(client, field);
      else await createView(client, shown);
    });
    return await fresh(held, field);
  });
}
