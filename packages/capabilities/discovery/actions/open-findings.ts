import type { ColumnFinding, OpenFinding } from '../model.ts';

const NEIGHBOURS_AT_MOST = 12;

/** What a person must look at, each with what stands around it. */
export function openFindings(columns: readonly ColumnFinding[]): readonly OpenFinding[] {
  const byTable = Map.groupBy(columns, ({ table }) => table);
  return columns
    .filter(({ decision, pinned }) => decision === 'review' && !pinned)
    .map(({ table, column, category, confidence, evidence }) => ({
      column,
      category,
      confidence,
      evidence: [...evidence],
      neighbours: (byTable.get(table) ?? [])
        .filter((other) => other.column !== column)
        .slice(0, NEIGHBOURS_AT_MOST)
        .map((other) => `${other.column.slice(table.length + 1)}: ${other.category}`),
    }));
}
