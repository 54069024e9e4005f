import { formatColumnName, parseColumnName, parseTableName, SafekeepError } from '@safekeep/core';
import { loadMap } from '../../datamap/index.ts';

export type Asked = {
  /** schema.table.column; without it every column of which the map says that anything may stand in it. */
  readonly column?: string;
  readonly redact: boolean;
  /** Whether a person agreed that redacted values are gone for good. */
  readonly agreed: boolean;
  /** Path of the data map. */
  readonly map: string;
};

/**
 * The columns whose texts are to be looked at. To be redacted, a column must be one of which the map says `free_text: true`, and a
 * person must have agreed.
 *
 * Throws `text-column-unfit`, and what reading the map throws.
 */
export async function textColumns({ column, redact, agreed, map }: Asked): Promise<readonly string[]> {
  if (redact && !agreed) throw unfit(column ?? 'the map', 'redact was asked for without agreed: true beside it');
  if (column !== undefined && !redact) return [column];
  const marked = await markedColumns(map);
  if (column === undefined) return marked;
  const name = formatColumnName(parseColumnName(column));
  if (!marked.includes(name)) throw unfit(name, 'the map does not say free_text: true of it');
  return [name];
}

async function markedColumns(file: string): Promise<readonly string[]> {
  const { map } = await loadMap(file);
  return [...map.tables].flatMap(([table, { columns }]) =>
    [...columns.values()].flatMap(({ name, freeText }) =>
      freeText ? [formatColumnName({ ...parseTableName(table), column: name })] : [],
    ),
  );
}

function unfit(column: string, reason: string): SafekeepError {
  return new SafekeepError('text-column-unfit', { column, reason });
}
