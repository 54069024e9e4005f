import { formatColumnName, formatTableName, parseColumnName, SafekeepError } from '@safekeep/core';
import { loadMap } from '../../datamap/index.ts';

/**
 * Whether a column may be redacted: a person agreed, and the map says that anything may stand in it.
 *
 * Throws `text-column-unfit`, and what reading the map throws.
 */
export async function refuseUnasked(asked: {
  /** schema.table.column */
  readonly column: string;
  readonly agreed: boolean;
  /** Path of the data map. */
  readonly map: string;
}): Promise<void> {
  const ref = parseColumnName(asked.column);
  const column = formatColumnName(ref);
  if (!asked.agreed)
    throw new SafekeepError('text-column-unfit', { column, reason: 'redact was asked for without agreed: true beside it' });
  const { map } = await loadMap(asked.map);
  if (map.tables.get(formatTableName(ref))?.columns.get(ref.column)?.freeText !== true)
    throw new SafekeepError('text-column-unfit', { column, reason: 'the map does not say free_text: true of it' });
}
