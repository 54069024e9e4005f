import type { Field } from '../model.ts';
import { listFields } from '../store/records.ts';
import { changeIndexes } from './change-indexes.ts';
import { decryptFields } from './decrypt-field.ts';
import { reading, type Ground } from './ground.ts';
import { refuseReaders } from './readers-of-view.ts';
import { requireAllMoved } from './together.ts';

/**
 * Gives back every encrypted column of the tenant; indexes over several columns go first, whichever of them they are
 * of. Goes on from wherever an interrupted run came to. Answers the fields as they were given back.
 *
 * @throws what {@link changeIndexes} and {@link decryptFields} throw.
 */
export async function decryptAll(ground: Ground, agree: (fields: readonly Field[]) => Promise<void>): Promise<readonly Field[]> {
  const fields = await reading(ground, (client) => listFields(client, ground.tenant));
  if (fields.length === 0) return [];
  await agree(fields);
  const agreed = async (): Promise<void> => undefined;
  for (const field of fields) {
    const isCompound = field.direction === 'in' && field.indexes.some(({ kind }) => kind === 'compound');
    if (isCompound) await changeIndexes(ground, refOf(field), { searchWith: [], acceptLeak: true, agree: agreed });
  }
  const left = await reading(ground, (client) => listFields(client, ground.tenant));
  for (const field of left) await refuseReaders(ground, field);
  const { moved, stopped } = await decryptFields(ground, left);
  requireAllMoved(stopped);
  return moved;
}

function refOf({ table, column }: Field) {
  return { ...table, column };
}
