import type { Field } from '../model.ts';
import { listFields } from '../store/records.ts';
import { changeIndexes } from './change-indexes.ts';
import { decryptField } from './decrypt-field.ts';
import { reading, type Ground } from './ground.ts';

/**
 * {@link decryptField} for every encrypted column of the tenant; indexes over several columns go first, whichever of them they are
 * of. Goes on from wherever an interrupted run came to. Answers the fields as they were given back.
 *
 * @throws what {@link changeIndexes} and {@link decryptField} throw.
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
  const given: Field[] = [];
  for (const field of fields) given.push(await decryptField(ground, refOf(field), agreed));
  return given;
}

function refOf({ table, column }: Field) {
  return { ...table, column };
}
