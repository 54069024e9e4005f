import { isSafekeepError, type SafekeepError } from '@safekeep/core';
import { operationFailure, type Database } from '@safekeep/postgres';
import { classifyColumn, type Classified, type ClassifyOrder } from './classify-text.ts';

export type ClassifiedColumn = Classified & { readonly column: string };

/** A column whose texts could not be looked at; the others were. */
export type ColumnProblem = { readonly column: string; readonly error: SafekeepError };

export type ColumnsOrder = Omit<ClassifyOrder, 'column'> & { readonly columns: readonly string[] };

/** Looks at several columns one after the other. What the product refuses of one is told beside the others; anything else ends it. */
export async function classifyColumns(
  database: Database,
  { columns, ...order }: ColumnsOrder,
): Promise<{ readonly classified: readonly ClassifiedColumn[]; readonly problems: readonly ColumnProblem[] }> {
  const classified: ClassifiedColumn[] = [];
  const problems: ColumnProblem[] = [];
  let before = 0;
  for (const column of columns) {
    order.signal.throwIfAborted();
    const done = before;
    try {
      const found = await classifyColumn(database, { ...order, column, onProgress: (rows) => order.onProgress?.(done + rows) });
      classified.push({ column, ...found });
      before += found.rows;
    } catch (cause) {
      const error = operationFailure(cause, `looking at the texts of ${column}`);
      if (!isSafekeepError(error) || order.signal.aborted) throw error;
      problems.push({ column, error });
    }
  }
  return { classified, problems };
}

/** How many texts were looked at, held something and were redacted, and of how many columns the log does not have the changes. */
export function totalOf(columns: readonly Classified[]): Record<'rows' | 'flagged' | 'redacted' | 'unfollowed', number> {
  return {
    rows: columns.reduce((sum, { rows }) => sum + rows, 0),
    flagged: columns.reduce((sum, { flagged }) => sum + flagged, 0),
    redacted: columns.reduce((sum, { redacted }) => sum + redacted, 0),
    unfollowed: columns.filter(({ followed }) => !followed).length,
  };
}
