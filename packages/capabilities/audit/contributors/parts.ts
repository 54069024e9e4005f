import { tableName, tableRef, type TableRef } from '@safekeep/core';
import type { Catalog, Table } from '@safekeep/postgres';
import type { DesiredObject } from '../../plan/index.ts';
import { createPartTriggers, dropPartTriggers, PROBE_PART, type PartOf } from '../store/truncate-sql.ts';
import type { Place } from './capture.ts';

/**
 * One for each partition of a captured table and each table that inherits from it: it is not emptied by its own name. A partition that is made
 * later has none, until the next apply.
 */
export function partObjects({ map, catalog, tenant, mapped, table }: Place): readonly DesiredObject[] {
  // A child that is captured itself tells its own TRUNCATE.
  const isCaptured = (part: Table): boolean => map.tables.get(tableName(part))?.audit.writes === true;
  const of = { tenant, table: mapped.name };
  return partsBelow(catalog, table).flatMap((part) => (isCaptured(part) ? [] : [objectOf(part, of)]));
}

function objectOf(part: Table, of: PartOf): DesiredObject {
  const name = tableName(part);
  const ref = tableRef(part);
  const create = createPartTriggers(ref, of);
  const remove = dropPartTriggers(ref);
  return {
    id: `audit-part:${name}`,
    kind: 'audit-part',
    target: name,
    definition: create.join('\n'),
    create,
    remove,
    replace: [...remove, ...create],
    probe: { sql: PROBE_PART, key: [part.schema, part.name] },
    locks: [{ ...ref, mode: 'SHARE ROW EXCLUSIVE' }],
    rows: 0,
    rewrites: false,
    reversible: true,
    restores: false,
    runsIn: 'transaction',
    dependsOn: [`audit-capture:${of.table}`],
  };
}

/** All below a table, at whatever depth. */
function partsBelow(catalog: Catalog, top: Table): readonly Table[] {
  const found = new Set<Table>();
  const parents: Table[] = [top];
  for (let parent = parents.pop(); parent !== undefined; parent = parents.pop()) {
    for (const each of catalog.tables) {
      if (found.has(each) || !isChildOf(each, parent)) continue;
      found.add(each);
      parents.push(each);
    }
  }
  // A foreign table has no trigger for TRUNCATE.
  return [...found].filter(({ kind }) => kind === 'table' || kind === 'partitioned-table');
}

function isChildOf({ partition, inherits }: Table, { schema, name }: Table): boolean {
  const isParent = (each: TableRef): boolean => each.schema === schema && each.table === name;
  return (partition !== null && isParent(partition.parent)) || inherits.some(isParent);
}
