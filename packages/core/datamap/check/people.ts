import { suggestionFor } from '../../configuration/text.ts';
import { referringPaths, shortestPaths } from '../find-paths.ts';
import type { DataMap, MappedColumn, MappedTable, Subject, SubjectEdge } from '../model.ts';
import { formatPath } from '../path.ts';
import { columnPlace, problemAt, tablePlace, type MapProblem } from '../problems.ts';
import { resolveColumnPath, resolveEdge, resolvePath, textOfHops, type Hop } from '../resolve.ts';
import { tableName } from '../../catalog-names.ts';
import { columnOf, isMappable, type SchemaIndex, type TableFacts } from '../schema-facts.ts';
import { isWithin } from '../categories/taxonomy.ts';
import { holdsPersonalData, isAboutPeople, isPersonalColumn, subjectsOfTable } from './questions.ts';

/** Where the map names people that it does not define. Needs no database. */
export function subjectNameProblems(map: DataMap): readonly MapProblem[] {
  const known = [...map.subjects.keys()];
  const unknown = (name: string, place: Parameters<typeof problemAt>[1]): MapProblem => {
    const meant = suggestionFor(name, known);
    return problemAt(
      'unknown-subject',
      place,
      `there is no subject ${name}`,
      meant === undefined ? undefined : `Did you mean ${meant}?`,
    );
  };
  return [
    ...[...map.tables.values()].flatMap((table) =>
      [...new Set(table.of.map(({ subject }) => subject))]
        .filter((name) => !map.subjects.has(name))
        .map((name) => unknown(name, tablePlace(table.name, 'of', name))),
    ),
    ...[...map.outside.values()]
      .filter(({ subject }) => !map.subjects.has(subject))
      .map((place) => unknown(place.subject, { pointer: ['outside', place.name, 'of'] })),
    ...[...map.tables.values()]
      .filter((table) => table.ofNobody && table.note === null)
      .map((table) =>
        problemAt(
          'missing-subject',
          tablePlace(table.name, 'of'),
          `${table.name} is said to be about none of the subjects, and not why`,
          'Write a note: whose data it is, and why no subject stands for these people.',
        ),
      ),
    ...[...map.tables.values()].flatMap(columnPathProblems),
  ];
}

function columnPathProblems(table: MappedTable): readonly MapProblem[] {
  const paths = new Set(table.of.map(({ path }) => formatPath(path)));
  return [...table.columns.values()].flatMap((column) => {
    const unknown = column.of.map(formatPath).filter((path) => !paths.has(path));
    return unknown.map((path) =>
      problemAt('column-path', columnPlace(table.name, column.name, 'of'), `${path} is none of the paths of ${table.name}`),
    );
  });
}

/** Where the map does not say, or says wrongly, whose a row is. */
export function peopleProblems(map: DataMap, schema: SchemaIndex): readonly MapProblem[] {
  return [
    ...[...map.subjects.values()].flatMap((subject) => subjectProblems(subject, schema)),
    ...[...map.tables.values()].flatMap((table) => pathProblems(map, schema, table)),
    ...schema.facts.tables.filter(isMappable).flatMap((table) => missingSubject(map, schema, table)),
    ...schema.facts.tables.filter(isMappable).flatMap((table) => authorsOnly(map, schema, table)),
    ...[...map.tables.values()].flatMap((table) => tenantProblems(map, schema, table)),
  ];
}

function subjectProblems(subject: Subject, schema: SchemaIndex): readonly MapProblem[] {
  const pointer = ['subjects', subject.name];
  const table = schema.byName.get(subject.table);
  if (table === undefined || !isMappable(table)) {
    return [
      problemAt(
        'vanished-table',
        { table: subject.table, pointer: [...pointer, 'table'] },
        `the subject ${subject.name} lives in ${subject.table}, which is no table of this database`,
      ),
    ];
  }
  const named = [
    ...subject.key.map((column) => ({ column, property: 'key' })),
    ...subject.findBy.map((column) => ({ column, property: 'find_by' })),
    ...(subject.label === null ? [] : [{ column: subject.label, property: 'label' }]),
  ];
  const missing = named.filter(({ column }) => columnOf(table, column) === undefined);
  return [
    ...missing.map(({ column, property }) => {
      const meant = suggestionFor(
        column,
        table.columns.map(({ name }) => name),
      );
      const remedy = meant === undefined ? undefined : `Did you mean ${meant}?`;
      return problemAt(
        'subject-column',
        { table: subject.table, column, pointer: [...pointer, property] },
        `${property} of the subject ${subject.name} names ${column}, which ${subject.table} does not have`,
        remedy,
      );
    }),
    ...(missing.length === 0 && !isKey(table, subject.key)
      ? [
          problemAt(
            'subject-column',
            { table: subject.table, pointer: [...pointer, 'key'] },
            `${subject.key.join(', ')} does not name one row of ${subject.table}: it is neither its primary key nor unique and not null`,
          ),
        ]
      : []),
  ];
}

function isKey(table: TableFacts, key: readonly string[]): boolean {
  const uniqueIndexes = table.indexes
    .filter(({ unique, predicate, keys }) => unique && predicate === null && keys.every(({ column }) => column !== null))
    .map(({ keys }) => ({ columns: keys.flatMap(({ column }) => column ?? []) }));
  const keys = [...(table.primaryKey === null ? [] : [table.primaryKey]), ...table.uniques, ...uniqueIndexes];
  // A key within these columns makes them unique together.
  const isUnique = keys.some(({ columns }) => columns.every((column) => key.includes(column)));
  return isUnique && key.every((column) => columnOf(table, column)?.notNull === true);
}

function pathProblems(map: DataMap, schema: SchemaIndex, table: MappedTable): readonly MapProblem[] {
  if (!schema.byName.has(table.name)) return [];
  return table.of
    .filter(({ subject }) => map.subjects.has(subject) && schema.byName.has(map.subjects.get(subject)?.table ?? ''))
    .flatMap((edge) => {
      const resolved = resolveEdge(map, schema, table.name, edge);
      if (!('kind' in resolved)) return [];
      const code = resolved.kind === 'ambiguous' ? 'ambiguous-path' : 'broken-path';
      return [problemAt(code, edgePlace(table, edge), `${formatPath(edge.path)}: ${resolved.message}`, resolved.remedy)];
    });
}

function edgePlace(table: MappedTable, edge: SubjectEdge): Parameters<typeof problemAt>[1] {
  const siblings = table.of.filter(({ subject }) => subject === edge.subject);
  return tablePlace(table.name, 'of', edge.subject, ...(siblings.length > 1 ? [siblings.indexOf(edge)] : []));
}

/** Ways that lead from a table to persons, for a table of which the map says nothing. */
export type CandidatePath = { readonly subject: string; readonly table: string; readonly hops: readonly Hop[] };

/**
 * The shortest ways from a table to each subject; where no reference leads there, those by which persons refer to its rows.
 * What `scan` proposes and what the gate asks for are both taken from here.
 */
export function candidatePaths(map: DataMap, schema: SchemaIndex, table: string): readonly CandidatePath[] {
  return [...map.subjects.values()].flatMap((subject) => {
    const along = shortestPaths(schema, table, subject);
    const found = along.length > 0 ? along : referringPaths(schema, table, subject);
    return found.map((hops) => ({ subject: subject.name, table, hops }));
  });
}

function missingSubject(map: DataMap, schema: SchemaIndex, live: TableFacts): readonly MapProblem[] {
  const name = tableName(live);
  const table = map.tables.get(name);
  if (table === undefined || table.of.length > 0 || table.ofNobody || subjectsOfTable(map, name).length > 0) return [];
  const candidates = candidatePaths(map, schema, name);
  const close = candidates.filter(
    ({ hops }) => hops.every(({ direction }) => direction === 'forward') && isOwned(map, schema, hops),
  );
  if (!holdsPersonalData(table) && close.length === 0) return [];
  const offered = close.length > 0 ? close : candidates;
  const several = [...Map.groupBy(offered, ({ subject }) => subject).values()].find((ways) => ways.length > 1);
  if (several !== undefined) return [ambiguous(name, several)];
  const why = holdsPersonalData(table) ? 'holds personal data' : `refers to ${offered[0]?.hops[0]?.to ?? 'a person'}`;
  const remedy =
    offered.length === 0
      ? undefined
      : `Write ${offered.map(wayText).join(' or ')}; where it is about none of them, of: none and a note.`;
  return [problemAt('missing-subject', tablePlace(name), `${name} ${why}, and the map does not say whose`, remedy)];
}

/**
 * Every path of the table leads to those who wrote its rows, and its personal columns are said to be about none of them: nobody's
 * export would show these, and nobody's erasure mask them.
 */
function authorsOnly(map: DataMap, schema: SchemaIndex, live: TableFacts): readonly MapProblem[] {
  const name = tableName(live);
  const table = map.tables.get(name);
  if (table === undefined || table.of.length === 0 || subjectsOfTable(map, name).length > 0) return [];
  const resolved = table.of.map((edge) => resolveEdge(map, schema, name, edge));
  if (!resolved.every((path) => !('kind' in path) && (path.meaning === 'created_by' || path.meaning === 'stop'))) return [];
  const unclaimed = [...table.columns.values()].filter((column) => isUnclaimed(live, column));
  if (unclaimed.length === 0) return [];
  const names = unclaimed.map((column) => column.name).join(', ');
  return [
    problemAt(
      'authors-only',
      tablePlace(name, 'of'),
      `every path of ${name} leads to who wrote its rows, and the map does not say about whom ${names} are`,
    ),
  ];
}

/** A table in whose rows several people may stand, by paths of their own, and the columns of people of which nothing says whose they are. */
export type SeveralPeople = { readonly table: string; readonly paths: readonly string[]; readonly columns: readonly string[] };

/**
 * No problem: what is nobody's alone stays where others stay, and is given to none of them. Whoever has not meant it so marks the columns (of).
 */
export function severalPeople(map: DataMap, schema: SchemaIndex): readonly SeveralPeople[] {
  return [...map.tables.values()].flatMap((table) => {
    const live = schema.byName.get(table.name);
    if (live === undefined || subjectsOfTable(map, table.name).length > 0) return [];
    const paths = table.of
      .map((edge) => resolveEdge(map, schema, table.name, edge))
      .flatMap((path) =>
        'kind' in path || path.meaning === 'created_by' || path.meaning === 'stop' ? [] : [formatPath(path.path)],
      );
    const columns = [...table.columns.values()].filter((column) => isUnclaimed(live, column)).map(({ name }) => name);
    return paths.length < 2 || columns.length === 0 ? [] : [{ table: table.name, paths, columns }];
  });
}

/** Personal, nobody's by the map, and left to what an erasure does by itself. */
function isUnclaimed(live: TableFacts, column: MappedColumn): boolean {
  const keys = [...(live.primaryKey?.columns ?? []), ...live.foreignKeys.flatMap(({ columns }) => columns)];
  const isSaid = column.of.length > 0 || column.erase !== null || keys.includes(column.name);
  return isPersonalColumn(column) && !isSaid && !isNumberOnly(column);
}

/** A number that stands for somebody says nothing by itself. */
function isNumberOnly({ categories }: MappedColumn): boolean {
  return categories.every((key) => isWithin(key, 'user.unique_id'));
}

/** The next table on the way is one of persons, or belongs to one: then so does this one. */
function isOwned(map: DataMap, schema: SchemaIndex, hops: readonly Hop[]): boolean {
  const next = hops[0]?.to ?? '';
  if (subjectsOfTable(map, next).length > 0) return true;
  return (map.tables.get(next)?.of ?? []).some((edge) => {
    const resolved = resolveEdge(map, schema, next, edge);
    return !('kind' in resolved) && (resolved.meaning === 'owns' || resolved.meaning === 'about' || resolved.meaning === 'shared');
  });
}

function wayText({ subject, hops }: CandidatePath): string {
  return `of: { ${subject}: ${textOfHops(hops)} }`;
}

function ambiguous(table: string, candidates: readonly CandidatePath[]): MapProblem {
  const subject = candidates[0]?.subject ?? '';
  const ways = candidates.map(({ hops }) => textOfHops(hops)).join('; ');
  return {
    ...problemAt(
      'ambiguous-path',
      tablePlace(table),
      `${candidates.length} ways lead from ${table} to a ${subject}: ${ways}`,
      `Write of: { ${subject}: … } with the one that is meant, or a list where the row is about several people.`,
    ),
    candidates,
  };
}

function tenantProblems(map: DataMap, schema: SchemaIndex, table: MappedTable): readonly MapProblem[] {
  const live = schema.byName.get(table.name);
  if (live === undefined || !isAboutPeople(map, table)) return [];
  const rule = table.tenant ?? map.tenant;
  const place = tablePlace(table.name, ...(table.tenant === null ? [] : ['tenant']));
  if (rule.kind === 'fixed') return [];
  if (rule.kind === 'shared')
    return [problemAt('tenant-missing', place, `${table.name} is about people and cannot be shared by all tenants`)];
  if (rule.kind === 'column') {
    return columnOf(live, rule.column) !== undefined || inheritsTenant(map, schema, table, rule.column)
      ? []
      : [
          problemAt(
            'tenant-missing',
            place,
            `${table.name} has no column ${rule.column}, and none of its paths leads over a table that has`,
          ),
        ];
  }
  const resolved = resolveColumnPath(schema, table.name, rule.path);
  return 'kind' in resolved
    ? [problemAt('tenant-missing', place, `${formatPath(rule.path)}: ${resolved.message}`, resolved.remedy)]
    : [];
}

/** A row without the tenant's column has the tenant of the person it belongs to, or of a row on the way there. */
function inheritsTenant(map: DataMap, schema: SchemaIndex, table: MappedTable, column: string): boolean {
  return table.of.some((edge) => {
    const subject = map.subjects.get(edge.subject);
    const hops = subject === undefined ? [] : resolvePath(schema, table.name, edge.path, subject);
    if ('kind' in hops) return false;
    return hops.some(({ to }) => {
      const next = schema.byName.get(to);
      return next !== undefined && columnOf(next, column) !== undefined;
    });
  });
}
