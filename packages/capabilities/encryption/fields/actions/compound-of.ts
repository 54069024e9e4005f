import { SafekeepError, shellWord } from '@safekeep/core';
import type { Field } from '../model.ts';
import { listFields } from '../store/records.ts';
import { nameOf, reading, type Ground } from './ground.ts';

/**
 * An index over several columns is made by whoever holds the keys of all of them: a column that goes back to plaintext, or whose
 * keys change hands, leaves it first.
 *
 * @throws `field-unfit` naming the index and what to do.
 */
export async function refuseInCompound(ground: Pick<Ground, 'database' | 'tenant'>, field: Field): Promise<void> {
  const fields = await reading(ground, (client) => listFields(client, ground.tenant));
  const reasons = fields
    .filter(({ indexes }) => indexes.some(({ parts }) => parts.some(({ id }) => id === field.id)))
    .map((owner) => {
      const columns = owner.indexes.flatMap(({ parts }) => parts.map(({ column }) => column));
      return `- search of ${[...new Set(columns)].join(' with ')}: it is made of the values of all of them. What to do first: safekeep encrypt ${shellWord(nameOf(owner))} --with none.`;
    });
  if (reasons.length > 0) throw new SafekeepError('field-unfit', { field: nameOf(field), reasons: reasons.join('\n') });
}
