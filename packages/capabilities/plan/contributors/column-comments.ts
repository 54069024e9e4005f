import { columnName, formatColumnName, tableRef, withoutMark, type MappedColumn } from '@safekeep/core';
import { findTable, type Column, type Table } from '@safekeep/postgres';
import type { Contributor, DesiredObject, Problem } from '../model.ts';
import { commentOnColumn, probeComment } from '../store/column-comments.ts';

/**
 * Writes category and protection of each personal column behind the user's own comment, where every tool that reads the schema
 * finds them: `as on the passport\n[safekeep category=user.name protect=client]`.
 */
export const columnComments: Contributor = ({ map, catalog, applied }) => {
  const written = new Set(applied.values());
  const objects: DesiredObject[] = [];
  const problems: Problem[] = [];
  for (const [name, mapped] of map.tables) {
    const table = findTable(catalog, name);
    if (table === undefined) {
      problems.push({ target: name, reason: 'the map names a table that is not there' });
      continue;
    }
    const columns = new Map(table.columns.map((column) => [column.name, column]));
    for (const each of mapped.columns.values()) {
      const column = columns.get(each.name);
      if (column === undefined)
        problems.push({ target: columnName(table, each.name), reason: 'the map names a column that is not there' });
      else if (isMarked(each)) objects.push(commentOf(table, column, { mapped: each, applied, written }));
    }
  }
  return { objects, problems, notes: [] };
};

function isMarked({ categories, protect }: MappedColumn): boolean {
  return categories.length > 0 || protect !== 'none';
}

type Marking = {
  readonly mapped: MappedColumn;
  readonly applied: ReadonlyMap<string, string | null>;
  readonly written: ReadonlySet<string | null>;
};

function commentOf(table: Table, column: Column, { mapped, applied, written }: Marking): DesiredObject {
  const ref = { ...tableRef(table), column: column.name };
  const target = formatColumnName(ref);
  const id = `column-comment:${target}`;
  // Before the first time everything is the user's, even what looks like a mark; unless it came along with a column that was
  // renamed since, and then it is to the letter what we wrote there.
  const isOurs = applied.has(id) || written.has(column.comment);
  const own = isOurs ? withoutMark(column.comment) : column.comment;
  const mark = `[safekeep category=${mapped.categories.join(',') || 'none'} protect=${mapped.protect}]`;
  const comment = own === null ? mark : `${own}\n${mark}`;
  const write = [commentOnColumn(ref, comment)];
  return {
    id,
    kind: 'column-comment',
    target,
    definition: comment,
    create: write,
    replace: write,
    remove: [commentOnColumn(ref, own)],
    probe: probeComment(ref),
    locks: [{ ...tableRef(table), mode: 'SHARE UPDATE EXCLUSIVE' }],
    rows: 0,
    rewrites: false,
    reversible: true,
    restores: true,
    runsIn: 'transaction',
    dependsOn: [],
  };
}
