import { suggestionFor } from '../../configuration/text.ts';
import { formatTableName } from '../../names.ts';
import { ownColumns } from '../compliance.ts';
import type { DataMap, MappedTable } from '../model.ts';
import { columnPlace, problemAt, tablePlace, type MapProblem } from '../problems.ts';
import { tableName } from '../../catalog-names.ts';
import { isMappable, type SchemaIndex, type TableFacts } from '../schema-facts.ts';

/** A new name shares at least this part of its columns with the table that vanished. */
const SAME_TABLE_SHARE = 0.6;

/** Where map and database do not speak of the same tables and columns. */
export function coverageProblems(map: DataMap, schema: SchemaIndex): readonly MapProblem[] {
  const tables = schema.facts.tables.filter(isMappable);
  const unmapped = tables.filter((table) => !map.tables.has(tableName(table)));
  return [
    ...tables.flatMap((table) => unreadable(table)),
    ...tables.flatMap((table) => unclassified(table, map.tables.get(tableName(table)))),
    ...[...map.tables.values()].flatMap((table) => vanished(table, schema, unmapped)),
    ...[...map.tables.values()].flatMap((table) => vanishedTriggers(table, schema)),
  ];
}

function vanishedTriggers({ name, triggers }: MappedTable, schema: SchemaIndex): readonly MapProblem[] {
  const live = schema.byName.get(name)?.triggers;
  return [...triggers].flatMap(([trigger, { writesTo }]) => {
    const place = { ...tablePlace(name), pointer: ['tables', name, 'triggers', trigger] };
    const meant =
      live === undefined
        ? undefined
        : suggestionFor(
            trigger,
            live.map((each) => each.name),
          );
    const remedy = meant === undefined ? undefined : `Write ${meant} if it was renamed.`;
    const isGone = live !== undefined && !live.some((each) => each.name === trigger);
    return [
      ...(isGone ? [problemAt('vanished-trigger', place, `${name} has no trigger ${trigger}`, remedy)] : []),
      ...writesTo
        .filter((table) => !schema.byName.has(table))
        .map((table) => problemAt('vanished-trigger', place, `there is no table ${table} for ${trigger} to write to`)),
    ];
  });
}

function unreadable(table: TableFacts): readonly MapProblem[] {
  if (table.privileges.select || table.columns.some(({ privileges }) => privileges.select)) return [];
  const name = tableName(table);
  return [
    problemAt(
      'table-unreadable',
      tablePlace(name),
      `${name} may not be read by this database user`,
      `Run GRANT SELECT ON ${name} for that user.`,
    ),
  ];
}

function unclassified(table: TableFacts, mapped: MappedTable | undefined): readonly MapProblem[] {
  const name = tableName(table);
  const missing = ownColumns(table, mapped).filter((column) => mapped?.columns.has(column.name) !== true);
  const gone =
    mapped === undefined ? [] : [...mapped.columns.keys()].filter((column) => !table.columns.some((live) => live.name === column));
  return missing.map((column) => {
    const place = { ...columnPlace(name, column.name), pointer: mapped === undefined ? ['tables'] : ['tables', name, 'columns'] };
    const old = similar(column.name, gone);
    if (old !== undefined)
      return problemAt(
        'unclassified-column',
        place,
        `${column.name} of ${name} is not in the map; ${old} is, and is gone`,
        `Rename ${old} in the map if it is the same column.`,
      );
    return problemAt('unclassified-column', place, `${column.name} (${column.type}) of ${name} is not in the map`);
  });
}

function vanished(table: MappedTable, schema: SchemaIndex, unmapped: readonly TableFacts[]): readonly MapProblem[] {
  const live = schema.byName.get(table.name);
  if (live === undefined) return [vanishedTable(table, unmapped)];
  if (live.kind === 'view') return [problemAt('view-in-map', tablePlace(table.name), `${table.name} is a view`)];
  if (live.partition !== null) {
    const parent = formatTableName(live.partition.parent);
    return [
      problemAt('partition-in-map', tablePlace(table.name), `${table.name} is a partition of ${parent}`, `Map ${parent} instead.`),
    ];
  }
  const fresh = ownColumns(live, table)
    .map(({ name }) => name)
    .filter((name) => !table.columns.has(name));
  return [...table.columns.keys()]
    .filter((name) => !live.columns.some((column) => column.name === name))
    .map((name) => {
      const meant = similar(name, fresh);
      const remedy = meant === undefined ? undefined : `Write ${meant} if it was renamed.`;
      return problemAt('vanished-column', columnPlace(table.name, name), `${table.name} has no column ${name}`, remedy);
    });
}

function vanishedTable(table: MappedTable, unmapped: readonly TableFacts[]): MapProblem {
  const renamed = unmapped.find((candidate) => sharedColumns(table, candidate) >= SAME_TABLE_SHARE);
  const meant = renamed === undefined ? suggestionFor(table.name, unmapped.map(tableName)) : tableName(renamed);
  const remedy = meant === undefined ? undefined : `Write ${meant} if it was renamed.`;
  return problemAt('vanished-table', tablePlace(table.name), `there is no table ${table.name}`, remedy);
}

function sharedColumns(table: MappedTable, candidate: TableFacts): number {
  if (table.columns.size === 0) return 0;
  return (
    candidate.columns.filter(({ name }) => table.columns.has(name)).length / Math.max(table.columns.size, candidate.columns.length)
  );
}

/** With more names than this to choose from, a guess is no help, and comparing each with each takes its time. */
const RENAMES_AT_MOST = 50;

/** A name that the other was probably changed from: few letters off, or one contained in the other. */
function similar(name: string, others: readonly string[]): string | undefined {
  if (others.length > RENAMES_AT_MOST) return undefined;
  const contained = others.find(
    (other) => Math.min(name.length, other.length) >= 4 && (name.includes(other) || other.includes(name)),
  );
  return suggestionFor(name, others) ?? contained;
}
