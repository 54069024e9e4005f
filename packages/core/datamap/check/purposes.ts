import { suggestionFor } from '../../configuration/text.ts';
import { dataUses } from '../categories/data-uses.ts';
import type { DataMap, MappedTable, Purpose } from '../model.ts';
import { problemAt, tablePlace, type MapProblem } from '../problems.ts';
import { bareType } from '../resolve.ts';
import { columnOf, type SchemaIndex } from '../schema-facts.ts';
import { columnsOfClass, isAboutPeople, purposesOf, subjectsOfTable } from './questions.ts';

/** Where the map does not say why data is processed, or for how long. Needs no database. */
export function purposeProblems(map: DataMap): readonly MapProblem[] {
  return [
    ...[...map.purposes.values()].flatMap(basisProblems),
    ...[...map.tables.values()].flatMap((table) => [
      ...unknownPurposes(map, table),
      ...conditionProblems(map, table),
      ...retentionProblems(map, table),
    ]),
  ];
}

function basisProblems(purpose: Purpose): readonly MapProblem[] {
  const pointer = ['purposes', purpose.name];
  const meant = suggestionFor(purpose.use, [...dataUses]);
  return [
    ...(purpose.basis === null
      ? [problemAt('purpose-without-basis', { pointer }, `the purpose ${purpose.name} has no legal basis`)]
      : []),
    ...(dataUses.has(purpose.use)
      ? []
      : [
          problemAt(
            'unknown-use',
            { pointer: [...pointer, 'use'] },
            `${purpose.use} is no data use of fideslang`,
            meant === undefined ? undefined : `Did you mean ${meant}?`,
          ),
        ]),
  ];
}

function unknownPurposes(map: DataMap, table: MappedTable): readonly MapProblem[] {
  return table.purposes.flatMap((name, index) => {
    if (map.purposes.has(name)) return [];
    const meant = suggestionFor(name, [...map.purposes.keys()]);
    return [
      problemAt(
        'unknown-purpose',
        tablePlace(table.name, 'purposes', index),
        `there is no purpose ${name}`,
        meant === undefined ? undefined : `Did you mean ${meant}?`,
      ),
    ];
  });
}

/** Each purpose of a table with special data needs its condition: what stands in the table is processed for all of them. */
function conditionProblems(map: DataMap, table: MappedTable): readonly MapProblem[] {
  const special = columnsOfClass(table, 'art9');
  const criminal = columnsOfClass(table, 'art10');
  const purposes = purposesOf(map, table).flatMap((name) => map.purposes.get(name) ?? []);
  const place = tablePlace(table.name);
  if (special.length > 0 && purposes.length === 0) {
    return [
      problemAt(
        'special-without-condition',
        place,
        `${table.name} holds data of a special category (${special.join(', ')}) for no purpose at all`,
        'Give the table a purpose with a condition of Art. 9(2).',
      ),
    ];
  }
  return [
    ...purposes
      .filter(({ condition }) => special.length > 0 && condition === null)
      .map(({ name }) =>
        problemAt(
          'special-without-condition',
          place,
          `${table.name} holds data of a special category (${special.join(', ')}) for ${name}, which has no condition`,
        ),
      ),
    ...purposes
      .filter(({ cite }) => criminal.length > 0 && cite === null)
      .map(({ name }) =>
        problemAt(
          'criminal-without-law',
          place,
          `${table.name} holds data on convictions or offences (${criminal.join(', ')}) for ${name}, which cites no law`,
        ),
      ),
  ];
}

function retentionProblems(map: DataMap, table: MappedTable): readonly MapProblem[] {
  if (!isAboutPeople(map, table) || hasRetention(map, table)) return [];
  const owners = [...new Set(table.of.map(({ subject }) => subject))].join(', ');
  const where = owners === '' ? '' : `, and neither has the table of ${owners}`;
  return [
    problemAt('missing-retention', tablePlace(table.name), `${table.name} has no retention and none of its purposes has${where}`),
  ];
}

/** Its own, that of a purpose, or that of the persons whom each of its paths leads to: a row goes with the person at the latest. */
function hasRetention(map: DataMap, table: MappedTable): boolean {
  if (table.retention !== null || purposesOf(map, table).some((name) => (map.purposes.get(name)?.retention ?? null) !== null))
    return true;
  if (table.of.length === 0 || subjectsOfTable(map, table.name).length > 0) return false;
  return table.of.every(({ subject }) => {
    const person = map.subjects.get(subject);
    // A subject that is not defined is told of already.
    if (person === undefined) return true;
    const owner = map.tables.get(person.table);
    return owner !== undefined && owner.name !== table.name && hasOwnRetention(map, owner);
  });
}

function hasOwnRetention(map: DataMap, table: MappedTable): boolean {
  return table.retention !== null || table.purposes.some((name) => (map.purposes.get(name)?.retention ?? null) !== null);
}

const DATES: ReadonlySet<string> = new Set(['date', 'timestamp without time zone', 'timestamp with time zone']);

/** Where a period counts from a column that has no date in it. */
export function periodProblems(map: DataMap, schema: SchemaIndex): readonly MapProblem[] {
  return [...map.tables.values()].flatMap((table) => [
    ...periodProblem(schema, table, { column: table.retention?.after, within: ['retention', 'after'] }),
    ...periodProblem(schema, table, { column: table.onErasure?.until?.column, within: ['on_erasure', 'until'] }),
  ]);
}

function periodProblem(
  schema: SchemaIndex,
  table: MappedTable,
  { column, within }: { readonly column: string | undefined; readonly within: readonly string[] },
): readonly MapProblem[] {
  const live = schema.byName.get(table.name);
  if (column === undefined || live === undefined) return [];
  const place = { ...tablePlace(table.name, ...within), column };
  const found = columnOf(live, column);
  if (found === undefined) {
    const meant = suggestionFor(
      column,
      live.columns.map(({ name }) => name),
    );
    return [
      problemAt(
        'retention-column',
        place,
        `${table.name} has no column ${column}`,
        meant === undefined ? undefined : `Did you mean ${meant}?`,
      ),
    ];
  }
  return DATES.has(bareType(found))
    ? []
    : [problemAt('retention-column', place, `${column} of ${table.name} is ${found.type}, no date`)];
}
