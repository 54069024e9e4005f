import { formatTableName, SafekeepError } from '@safekeep/core';
import type { Field } from '../model.ts';
import { viewName } from '../store/names.ts';
import { readersOfView } from '../store/view.ts';
import { nameOf, reading, type Ground } from './ground.ts';

/**
 * Columns cannot leave a view that others read: PostgreSQL would take those with it.
 *
 * @throws `field-unfit` naming each and what to do.
 */
export async function refuseReaders(ground: Pick<Ground, 'database' | 'tenant'>, field: Field): Promise<void> {
  const view = formatTableName({ schema: field.table.schema, table: viewName(field.table) });
  const reasons = (await reading(ground, (client) => readersOfView(client, field))).map(
    (name) =>
      `- view ${name}: it reads ${view}, which loses columns. What to do first: let it read ${formatTableName(field.table)}, or drop it.`,
  );
  if (reasons.length > 0) throw new SafekeepError('field-unfit', { field: nameOf(field), reasons: reasons.join('\n') });
}
