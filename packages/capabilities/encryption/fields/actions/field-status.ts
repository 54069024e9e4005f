import type { StatusText } from '../model.ts';
import { fieldText } from '../rules/text.ts';
import { listFields } from '../store/records.ts';
import { census, countLeft } from '../store/rows.ts';
import { reading, type Ground } from './ground.ts';

/** How far every field is, and under which keys its values are, by their headers. Only reads. */
export async function fieldStatus(ground: Pick<Ground, 'database' | 'tenant'>): Promise<StatusText['fields']> {
  return await reading(ground, async (client) => {
    const fields: StatusText['fields'] = [];
    for (const field of await listFields(client, ground.tenant)) {
      const isThere = field.phase !== 'planned';
      fields.push({
        ...fieldText(field),
        unsealed: isThere ? await countLeft(client, field, 'unsealed') : 0,
        keys: isThere ? (await census(client, field)).map((each) => ({ ...each })) : [],
      });
    }
    return fields;
  });
}
