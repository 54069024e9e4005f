import type { SortedColumn } from 'sqlite3-parser';
import { translate, type Setting } from './translate.ts';
import { Untranslatable, withC, type Value } from './value.ts';

/**
 * For DISTINCT, GROUP BY, UNION and partitions: what is equal in SQLite must be equal in PostgreSQL and the other way
 * round. Of texts that NOCASE holds equal, SQLite shows any one.
 */
export function refuseGrouping(held: Value): void {
  if (held.kind === 'text' && held.collation !== null && held.collation !== 'BINARY') {
    throw new Untranslatable(`it groups by ${held.sql}, whose collation ${held.collation} holds different texts equal`);
  }
  if (held.kind === 'opaque' || (held.kind === 'moment' && held.shape === null)) {
    throw new Untranslatable(`it groups by ${held.sql}, whose values were of different kinds or shapes in SQLite`);
  }
}

/** SQLite puts NULLs first going up and last going down; PostgreSQL the other way round. */
export function sortKey(setting: Setting, column: SortedColumn): string {
  return `${sortable(translate(setting, column.expr))}${direction(column)}`;
}

export function direction(column: SortedColumn): string {
  const descending = column.order === 'Desc';
  const nulls = column.nulls ?? (descending ? 'Last' : 'First');
  return `${descending ? ' DESC' : ''} NULLS ${nulls.toUpperCase()}`;
}

export function sortable(held: Value): string {
  if (held.kind === 'opaque') throw new Untranslatable(`it sorts by ${held.sql}, whose values are of different kinds`);
  if (held.kind === 'moment' && held.shape === null)
    throw new Untranslatable(`it sorts by ${held.sql}, whose texts had several shapes`);
  if (held.kind !== 'text') return held.sql;
  switch (held.collation ?? 'BINARY') {
    case 'BINARY':
      return withC(held);
    case 'NOCASE':
      return `lower(${withC(held)})`;
    case 'RTRIM':
      return `rtrim(${withC(held)})`;
    default:
      throw new Untranslatable(`it sorts by the collation ${held.collation ?? ''}, which only the application knows`);
  }
}
