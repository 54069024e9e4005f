import type { DatabaseSync } from 'node:sqlite';
import type { ChangedTable } from './changed-rows.ts';
import { keyName } from './changelog.ts';
import type { CutOverResult } from '../model.ts';
import type { SourceRows } from './source-rows.ts';

/** Rows that both sides changed since the cut-over, by table. */
export function countConflicts(
  sqlite: DatabaseSync,
  later: readonly ChangedTable[],
  back: readonly SourceRows[],
): CutOverResult['conflicts'] {
  return back.flatMap(({ pair, keysTable }) => {
    const other = later.find((table) => table.pair === pair);
    if (other === undefined) return [];
    const same = pair.key
      .map((_, at) => `l.${keyName(at)} IS b.${keyName(at)} AND typeof(l.${keyName(at)}) = typeof(b.${keyName(at)})`)
      .join(' AND ');
    const found = sqlite
      .prepare(`SELECT count(*) AS rows FROM temp.${other.keysTable} AS l JOIN temp.${keysTable} AS b ON ${same}`)
      .get();
    const rows = Number(found?.['rows']);
    return rows === 0 ? [] : [{ table: pair.source, rows }];
  });
}
