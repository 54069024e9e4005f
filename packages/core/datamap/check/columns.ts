import { categoryOf, suggestCategory } from '../categories/taxonomy.ts';
import type { DataMap, MappedColumn, MappedTable } from '../model.ts';
import { columnPlace, problemAt, tablePlace, type MapProblem } from '../problems.ts';
import { columnOf, type SchemaIndex } from '../schema-facts.ts';
import { eraseRefusal, replaceRefusal } from './erase.ts';
import { protectRefusal } from './protect.ts';

/** Where the map does not say, or says wrongly, what is in a column. Needs no database. */
export function categoryProblems(map: DataMap): readonly MapProblem[] {
  return eachColumn(map, (table, column) => [
    ...column.categories
      .filter((key) => categoryOf(key) === undefined)
      .map((key) => {
        const meant = suggestCategory(key);
        return problemAt(
          'unknown-category',
          columnPlace(table.name, column.name, 'category'),
          `${key} is no category`,
          meant === undefined ? undefined : `Did you mean ${meant}?`,
        );
      }),
    ...(column.categories.length === 0 && (column.note ?? '').trim() === ''
      ? [
          problemAt(
            'none-without-note',
            columnPlace(table.name, column.name),
            `${column.name} of ${table.name} is said to be not personal, and not why`,
          ),
        ]
      : []),
    ...(column.search.length > 0 && column.protect === 'none'
      ? [
          problemAt(
            'search-unprotected',
            columnPlace(table.name, column.name, 'search'),
            `${column.name} of ${table.name} can be searched as it is`,
          ),
        ]
      : []),
    ...searchedWith(table, column),
    ...(column.erase?.kind === 'shred' && column.protect === 'none'
      ? [
          problemAt(
            'erase-refused',
            columnPlace(table.name, column.name, 'erase'),
            `${column.name} of ${table.name} has no key that could be destroyed`,
            'Give it protect: client or database, or another action.',
          ),
        ]
      : []),
  ]);
}

/** Where the database would not let happen what the map says. */
export function actionProblems(map: DataMap, schema: SchemaIndex): readonly MapProblem[] {
  return [
    ...eachColumn(map, (table, column) => {
      const live = schema.byName.get(table.name);
      const facts = live === undefined ? undefined : columnOf(live, column.name);
      if (live === undefined || facts === undefined) return [];
      const target = { schema, table: live, column: facts };
      const kept =
        table.onErasure !== null && column.erase?.kind === 'delete'
          ? 'the row is kept (on_erasure), so its values cannot go with it'
          : undefined;
      const refusal = kept ?? (column.erase === null ? undefined : eraseRefusal(target, column.erase));
      const unfit = column.protect === 'none' ? undefined : protectRefusal(target);
      return [
        ...(refusal === undefined
          ? []
          : [
              problemAt(
                'erase-refused',
                columnPlace(table.name, column.name, 'erase'),
                `${column.name} of ${table.name}: ${refusal}`,
              ),
            ]),
        ...(unfit === undefined
          ? []
          : [
              problemAt(
                'protect-unsupported',
                columnPlace(table.name, column.name, 'protect'),
                `${column.name} of ${table.name}: ${unfit}`,
              ),
            ]),
      ];
    }),
    ...[...map.tables.values()].flatMap((table) => replacementProblems(table, schema)),
  ];
}

/** An index over several columns is made by whoever holds the keys of all: their values are in the same hands. */
function searchedWith(table: MappedTable, column: MappedColumn): readonly MapProblem[] {
  return column.searchWith
    .filter((name) => name === column.name || column.protect === 'none' || table.columns.get(name)?.protect !== column.protect)
    .map((name) =>
      problemAt(
        'search-unprotected',
        columnPlace(table.name, column.name, 'search_with'),
        name === column.name
          ? `${name} of ${table.name} is searched together with itself`
          : `${column.name} of ${table.name} is searched together with ${name}, which is not encrypted in the same way`,
        name === column.name ? 'Name other columns.' : `Give both the same protect, client or database.`,
      ),
    );
}

function replacementProblems(table: MappedTable, schema: SchemaIndex): readonly MapProblem[] {
  const live = schema.byName.get(table.name);
  if (live === undefined) return [];
  return [...(table.onErasure?.replace ?? [])].flatMap(([name, value]) => {
    const place = { ...tablePlace(table.name, 'on_erasure', 'replace', name), column: name };
    const facts = columnOf(live, name);
    if (facts === undefined)
      return [problemAt('erase-refused', place, `${table.name} has no column ${name}`, 'Correct the name, or remove it.')];
    const refusal = replaceRefusal({ schema, table: live, column: facts }, value);
    return refusal === undefined ? [] : [problemAt('erase-refused', place, `${name} of ${table.name}: ${refusal}`)];
  });
}

function eachColumn(
  map: DataMap,
  look: (table: MappedTable, column: MappedColumn) => readonly MapProblem[],
): readonly MapProblem[] {
  return [...map.tables.values()].flatMap((table) => [...table.columns.values()].flatMap((column) => look(table, column)));
}
