import {
  cardRuleOf,
  columnName,
  encryptedName,
  formatColumnName,
  formatName,
  formatTableName,
  shellWord,
  tableRef,
  type DataMap,
  type TenantRule,
} from '@safekeep/core';
import { findTable, type Column, type Table } from '@safekeep/postgres';
import type { Contributor, DesiredObject, Note, Problem } from '../../plan/index.ts';
import { answersFor, upsertAnswer } from '../fields/rules/refusals.ts';
import { typeOf } from '../fields/rules/types.ts';
import { allowValues, forbidValues, probeForbidden } from '../fields/store/forbidden.ts';

/**
 * What the map's `protect` means for the database, told at plan time: what stands in the way is a problem with what to do, what
 * will be different is a note. The columns themselves are brought there by `safekeep encrypt`, which takes as long as the table
 * is large and gives the application time between its steps; `plan` says where that is still to be done.
 */
export const encryptedFields: Contributor = ({ map, catalog }) => {
  const problems: Problem[] = [];
  const notes: Note[] = [];
  for (const { table, column, name, mode, search, categories, tenant } of protectedColumns(map, (each) =>
    findTable(catalog, each),
  )) {
    const isBegun = table.columns.some((each) => each.name === encryptedName(column.name));
    if (isBegun) continue;
    const answers = answersFor(catalog, table, { column, asked: { mode, search, card: cardRuleOf(categories), tenant } });
    for (const { object, breaks, remedy } of answers.filter(({ effect }) => effect === 'stops'))
      problems.push({ target: name, reason: `it cannot be encrypted as it is. ${object}: ${breaks}. What to do: ${remedy}` });
    const upsert = upsertAnswer(table, column);
    for (const { object, breaks, remedy } of [
      ...answers.filter(({ effect }) => effect === 'changes'),
      ...(upsert === undefined ? [] : [upsert]),
    ])
      notes.push({ target: name, text: `once it is encrypted: ${object}: ${breaks}. What to do: ${remedy}.` });
    notes.push({ target: name, text: `is not encrypted yet. Run: safekeep encrypt ${shellWord(name)}` });
  }
  const forbidden = forbiddenColumns(map, (each) => findTable(catalog, each));
  return {
    objects: forbidden.flatMap(({ object }) => object ?? []),
    problems: [...problems, ...forbidden.flatMap(({ problem }) => problem ?? [])],
    notes: [...notes, ...forbidden.flatMap(({ note }) => note ?? [])],
  };
};

type Forbidden = { readonly object?: DesiredObject; readonly problem?: Problem; readonly note?: Note };

/**
 * Columns of verification codes, PINs and track contents, encrypted or not: the database takes no value for them (PCI DSS 4.0.1, 3.3.1).
 * What stands there is not looked at; it is told.
 */
function forbiddenColumns(map: DataMap, find: (name: string) => Table | undefined): readonly Forbidden[] {
  return [...map.tables].flatMap(([tableName, { columns }]) => {
    const table = find(tableName);
    return [...columns.values()].flatMap(({ name, categories }) => {
      const column = table?.columns.find((each) => each.name === name);
      if (cardRuleOf(categories) !== 'forbidden' || table === undefined || column === undefined) return [];
      return [forbiddenColumn(table, column)];
    });
  });
}

function forbiddenColumn(table: Table, column: Column): Forbidden {
  const ref = { ...tableRef(table), column: column.name };
  const target = formatColumnName(ref);
  const isText = typeOf(column) === 'text';
  if ((table.kind !== 'table' && table.kind !== 'partitioned-table') || column.inherited)
    return { note: { target, text: 'holds what may not be kept after authorisation (PCI DSS 3.3.1); its table takes no check.' } };
  if (column.generated !== null || (column.notNull && !isText))
    return {
      problem: {
        target,
        reason:
          'what it holds may not be kept after authorisation (PCI DSS 3.3.1), and it may not be empty. What to do: drop the column, or its NOT NULL',
      },
    };
  const create = forbidValues(ref, { isText });
  return {
    object: {
      id: `forbidden-column:${target}`,
      kind: 'forbidden-column',
      target,
      definition: create,
      create: [create],
      remove: [allowValues(ref)],
      probe: probeForbidden(ref),
      locks: [{ ...tableRef(table), mode: 'ACCESS EXCLUSIVE' }],
      rows: 0,
      rewrites: false,
      reversible: true,
      restores: false,
      runsIn: 'transaction',
      dependsOn: [],
    },
    note: {
      target,
      text: `takes no value any more: it may not be kept after authorisation (PCI DSS 3.3.1). A row that holds one takes no change until it is emptied: UPDATE ${formatTableName(ref)} SET ${formatName(column.name)} = NULL.`,
    },
  };
}

type Protected = {
  readonly table: Table;
  readonly column: Column;
  readonly name: string;
  readonly mode: 'client' | 'database';
  readonly search: Parameters<typeof answersFor>[2]['asked']['search'];
  readonly categories: readonly string[];
  readonly tenant: TenantRule['kind'];
};

function protectedColumns(map: DataMap, find: (name: string) => Table | undefined): readonly Protected[] {
  return [...map.tables].flatMap(([tableName, mapped]) => {
    const table = find(tableName);
    return [...mapped.columns.values()].flatMap(({ name, protect, search, categories }) => {
      const column = table?.columns.find((each) => each.name === name);
      // What is not there is the comments' problem to tell.
      if (protect === 'none' || table === undefined || column === undefined) return [];
      const full = columnName(table, name);
      const tenant = (mapped.tenant ?? map.tenant).kind;
      return [{ table, column, name: full, mode: protect, search, categories, tenant }];
    });
  });
}
