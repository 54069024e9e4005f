import {
  formatColumnName,
  formatPath,
  formatDuration,
  parseTableName,
  type DataMap,
  type EraseAction,
  type MappedTable,
  type MapProblem,
} from '@safekeep/core';
import type { Problem, ShowResult } from './model.ts';
import type { MapText } from './text/document.ts';

/** A problem with its place in the file. */
export function located({ code, table, column, pointer, message, remedy }: MapProblem, map: MapText): Problem {
  const { line, column: position } = map.positionOf(pointer);
  const name = table === null || column === null ? null : formatColumnName({ ...parseTableName(table), column });
  return { code, table, column: name, message, remedy, file: map.file, line, position };
}

/** A map in the words of `map show`. */
export function showMap(map: DataMap): ShowResult {
  return {
    subjects: [...map.subjects.values()].map(({ name, table, key }) => ({ name, table, key: [...key] })),
    tables: [...map.tables.values()].map(showTable),
    purposes: [...map.purposes.values()].map(({ name, use, basis }) => ({ name, use, basis })),
  };
}

function showTable({ name, of, purposes, retention, columns, ...table }: MappedTable): ShowResult['tables'][number] {
  return {
    table: name,
    of: of.map(({ subject, path, meaning }) => ({ subject, path: formatPath(path), meaning })),
    purposes: [...purposes],
    retention: retention === null ? null : `${formatDuration(retention.keep)} after ${retention.after}, then ${retention.then}`,
    compliance: table.compliance,
    hideDeleted: table.hideDeleted,
    isolate: table.isolate,
    columns: [...columns.values()].map((column) => ({
      name: column.name,
      category: [...column.categories],
      protect: column.protect,
      erase: column.erase === null ? null : eraseWords(column.erase),
    })),
  };
}

function eraseWords(erase: EraseAction): string {
  return erase.kind === 'replace' ? `replace with ${JSON.stringify(erase.value)}` : erase.kind;
}
