import { formatTableName, tableName, type TableRef } from '@safekeep/core';
import { type Catalog } from '@safekeep/postgres';
import type { LockMode, Step } from '../model.ts';

/**
 * Tables that one transaction locks at most. The server's whole table of locks has 6,400 places by default (max_locks_per_transaction
 * times connections), and others need some too.
 */
const TABLES_AT_MOST = 1000;

/** A run of steps, in their order, that one transaction carries; or one step that runs alone. */
export type Part = readonly [Step, ...Step[]];

export function partsOf(steps: readonly Step[], tablesAtMost = TABLES_AT_MOST): readonly Part[] {
  const parts: [Step, ...Step[]][] = [];
  let tables = new Set<string>();
  for (const step of steps) {
    const part = parts.at(-1);
    const touched = tables.union(tablesOf(step));
    const fits = part?.[0].runsIn === 'transaction' && step.runsIn === 'transaction' && touched.size <= tablesAtMost;
    if (fits) part?.push(step);
    else parts.push([step]);
    tables = fits ? touched : tablesOf(step);
  }
  return parts;
}

// PostgreSQL manual, 13.3.1: each conflicts with at least as much as the one before.
const STRENGTH: readonly LockMode[] = [
  'ACCESS SHARE',
  'ROW SHARE',
  'ROW EXCLUSIVE',
  'SHARE UPDATE EXCLUSIVE',
  'SHARE',
  'SHARE ROW EXCLUSIVE',
  'EXCLUSIVE',
  'ACCESS EXCLUSIVE',
];

/**
 * The locks to take before a transaction's first step: of each table the strongest that its steps take anyway, so that no lock
 * is made stronger on the way, strongest mode first and tables by name, so that two runs cannot block each other. Only tables
 * can be locked so; views and foreign tables are locked by the statements themselves.
 */
export function locksOf(
  part: Part,
  catalog: Catalog,
): readonly { readonly mode: LockMode; readonly tables: readonly TableRef[] }[] {
  const lockable = new Set(catalog.tables.filter(({ kind }) => kind === 'table' || kind === 'partitioned-table').map(tableName));
  const strongest = new Map<string, { readonly table: TableRef; readonly mode: LockMode }>();
  for (const { schema, table, mode } of part.flatMap(({ locks }) => locks)) {
    const name = formatTableName({ schema, table });
    const before = strongest.get(name);
    if (!lockable.has(name)) continue;
    if (before === undefined || STRENGTH.indexOf(mode) > STRENGTH.indexOf(before.mode))
      strongest.set(name, { table: { schema, table }, mode });
  }
  const named = [...strongest].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, lock]) => lock);
  return STRENGTH.toReversed().flatMap((mode) => {
    const tables = named.filter((lock) => lock.mode === mode).map(({ table }) => table);
    return tables.length === 0 ? [] : [{ mode, tables }];
  });
}

function tablesOf(step: Step): Set<string> {
  return new Set(step.locks.map(formatTableName));
}
