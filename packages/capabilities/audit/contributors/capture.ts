import {
  carries,
  COMPLIANCE_FIELDS,
  encryptedName,
  formatPath,
  formatTableName,
  indexSchema,
  isPersonalColumn,
  resolveEdge,
  subjectsOfTable,
  tableName,
  tableRef,
  type DataMap,
  type MappedTable,
} from '@safekeep/core';
import { findTable, referencedBy, type Catalog, type Column, type PrimaryKey, type Table } from '@safekeep/postgres';
import type { Contributor, Desired, DesiredObject, Note } from '../../plan/index.ts';
import type { Capture, CapturedColumn, CapturedHop, CapturedPath, ColumnForm } from '../model.ts';
import {
  captureParts,
  deleteDefinition,
  dropStatements,
  dropTriggersStatement,
  ownStatement,
  PROBE_CAPTURE,
  upsertDefinition,
} from '../store/capture-sql.ts';
import { isExact, type CaptureShape } from '../store/capture/row-values.ts';
import { partObjects } from './parts.ts';

const KEYLESS =
  'It has no key: its changes are captured, but there is no history of one row, and `audit verify --full` tells that a row was changed unseen and not which. A primary key, or a unique constraint on columns that are never null, gives it both.';

const NOTHING: Desired = { objects: [], problems: [], notes: [] };

/** What a table's changes come into the log by, for each table of which the map says `audit: { writes: true }`. */
export const auditCapture: Contributor = ({ map, catalog, tenant }) => {
  const all = [...map.tables.values()].map((mapped) => {
    const table = mapped.audit.writes ? findTable(catalog, mapped.name) : undefined;
    // A table that is not there is the comments' problem to tell.
    return table === undefined ? NOTHING : captureOf({ map, catalog, tenant, mapped, table });
  });
  return {
    objects: all.flatMap(({ objects }) => objects),
    problems: all.flatMap(({ problems }) => problems),
    notes: all.flatMap(({ notes }) => notes),
  };
};

export type Place = {
  readonly map: DataMap;
  readonly catalog: Catalog;
  readonly tenant: string;
  readonly mapped: MappedTable;
  readonly table: Table;
};

/** Whether a table has the triggers that capture needs: views and foreign tables do not. */
export function isCapturable({ kind }: Table): boolean {
  return kind === 'table' || kind === 'partitioned-table';
}

function captureOf(place: Place): Desired {
  const { table, mapped, map } = place;
  const note = (text: string): Note => ({ target: mapped.name, text });
  if (!isCapturable(table))
    return {
      ...NOTHING,
      notes: [note('Changes are not captured: only tables have the triggers for it, not views or foreign tables.')],
    };
  const shape = shapeOf(place);
  const children = unmappedChildren(place);
  const lost = mapped.of.length - (shape.paths.length - subjectsOfTable(map, mapped.name).length);
  const notes = [
    ...(shape.key.length === 0 ? [note(KEYLESS)] : []),
    ...(children.length > 0
      ? [
          note(
            `Its triggers tell of its own rows alone: changes of ${children.join(', ')}, which inherit from it, are in no log, by whichever name they are made. Let the map capture them too (\`audit: { writes: true }\`).`,
          ),
        ]
      : []),
    ...(table.rowSecurity.enabled
      ? [
          note(
            `It has row security${table.rowSecurity.forced ? ', forced on its owner too' : ''}: every change is captured, but the values of new rows are sequenced, and rows verified, only by a login that sees all of them (superuser, BYPASSRLS${table.rowSecurity.forced ? '' : ', its owner'}).`,
          ),
        ]
      : []),
    ...(lost > 0
      ? [note(`${lost} path(s) of the map do not lead to a person: whose changes these are cannot be told by them.`)]
      : []),
  ];
  return { objects: [objectOf(shape), ...partObjects(place)], problems: [], notes };
}

function objectOf(shape: CaptureShape): DesiredObject {
  const { functions, triggers } = captureParts(shape);
  const { partitioned: _, paired: __, ...described } = shape;
  const capture: Capture = {
    ...described,
    triggers: triggers.map(({ name }) => name),
    functions: functions.map(({ name, sha256 }) => ({ name, sha256 })),
  };
  const create = [
    ...functions.map(({ statement }) => statement),
    ...triggers.map(({ statement }) => statement),
    // After the triggers, which need the right to execute what they call.
    ownStatement(functions),
    upsertDefinition(capture),
  ];
  const remove = [dropTriggersStatement(shape), ...dropStatements(functions), deleteDefinition(shape)];
  return {
    id: `audit-capture:${shape.table}`,
    kind: 'audit-capture',
    target: shape.table,
    definition: create.join('\n'),
    create,
    remove,
    replace: [...remove, ...create],
    probe: { sql: PROBE_CAPTURE, key: [shape.tenant, shape.table, ...functions.map(({ name }) => name)] },
    locks: [{ ...tableRef(shape), mode: 'SHARE ROW EXCLUSIVE' }],
    rows: 0,
    rewrites: false,
    reversible: true,
    restores: false,
    runsIn: 'transaction',
    dependsOn: [],
  };
}

/** How a table is to be captured. */
export function shapeOf(place: Place): CaptureShape {
  const { map, catalog, tenant, mapped, table } = place;
  const paths = pathsOf(place);
  const excluded = new Set<string>(mapped.compliance === 'columns' ? COMPLIANCE_FIELDS : []);
  const rule = mapped.tenant ?? map.tenant;
  const tenantColumn = rule.kind === 'column' && table.columns.some(({ name }) => name === rule.column) ? rule.column : null;
  const identifying = identifyingColumns(place, { paths, tenantColumn });
  const sealed = sealedColumns(table);
  const captured = (column: Column): CapturedColumn =>
    capturedColumn(column, { mapped, paths, identifying, key: keyColumns(table), sealed });
  const columns = table.columns
    // A generated column follows from the others, and says nothing in a trigger where it is virtual.
    .filter(({ name, generated }) => generated === null && !excluded.has(name))
    .map(captured);
  const key = keyColumns(table)
    .flatMap((name) => table.columns.filter((column) => column.name === name))
    .map(captured);
  const hasChildren = childrenOf(catalog, table).length > 0;
  const partitioned = table.kind === 'partitioned-table' || table.partition !== null || table.inherits.length > 0 || hasChildren;
  return {
    tenant,
    table: mapped.name,
    schema: table.schema,
    name: table.name,
    key,
    columns,
    paths: paths.map(({ path }) => path),
    fate: mapped.onErasure === null ? 'erasable' : 'kept',
    actor: mapped.audit.actor,
    tenantColumn,
    ...(hasChildren ? { alone: true } : {}),
    partitioned,
    paired: !partitioned && namesOneRow(table) && key.every(isExact),
  };
}

/** With the path as the map writes it, by which columns name whose they are; null for the persons' own table. */
type NamedPath = { readonly path: CapturedPath; readonly written: string | null };

function pathsOf({ map, catalog, mapped }: Place): readonly NamedPath[] {
  const own = subjectsOfTable(map, mapped.name).map((subject): NamedPath => ({
    path: { subject: subject.name, hops: [], key: subject.key, link: subject.key },
    written: null,
  }));
  const others = mapped.of.flatMap((edge): readonly NamedPath[] => {
    const resolved = resolveEdge(map, indexSchema(catalog), mapped.name, edge);
    const key = map.subjects.get(edge.subject)?.key;
    if ('kind' in resolved || key === undefined) return [];
    const hops = resolved.hops.flatMap(({ from, columns, to, references }): readonly CapturedHop[] => {
      const table = findTable(catalog, to);
      const typed = references.map((name) => ({
        name,
        type: table?.columns.find((column) => column.name === name)?.baseType ?? 'text',
      }));
      return table === undefined ? [] : [{ from, columns, to, schema: table.schema, name: table.name, references: typed }];
    });
    return [{ path: { subject: edge.subject, hops, key, link: hops[0]?.columns ?? [] }, written: formatPath(edge.path) }];
  });
  return [...own, ...others];
}

type Columns = {
  readonly mapped: MappedTable;
  readonly paths: readonly NamedPath[];
  readonly identifying: ReadonlySet<string>;
  readonly key: readonly string[];
  /** Columns that are encrypted. */
  readonly sealed: readonly Column[];
};

/** The check of `safekeep encrypt` on a column of ciphertext, which stands exactly as long as the column does. */
const SEALED_CHECK = /^zz_safekeep_sealed_/;

/** As the table itself tells: a map may be older than what was encrypted since, and newer. */
function sealedColumns({ columns, checks }: Table): readonly Column[] {
  const ciphertexts = new Set(checks.filter(({ name }) => SEALED_CHECK.test(name)).flatMap((check) => check.columns));
  return columns.filter(({ name }) => ciphertexts.has(encryptedName(name)));
}

function capturedColumn(column: Column, { mapped, paths, identifying, key, sealed }: Columns): CapturedColumn {
  const plain = sealed.find((each) => carries(column, each.name));
  // What was made of a value is the same person's.
  const of = mapped.columns.get(plain?.name ?? column.name);
  const written = of?.of.map(formatPath) ?? [];
  const leading = key.includes(column.name) ? [] : paths.filter(({ path }) => path.link.includes(column.name));
  // What leads to one person names them, and is nothing to others of the row; the row's own key is everybody's.
  const [named, ...more] =
    written.length === 0 ? leading : paths.filter((each) => each.written !== null && written.includes(each.written));
  return {
    name: column.name,
    type: column.baseType,
    builtIn: isBuiltIn(column),
    form: formOf(column),
    // Nobody has looked at a column that the map does not know: it may hold anything.
    // Of a value that is encrypted nothing is for everybody's eyes, whatever the map calls it.
    personal: of === undefined || plain !== undefined || of.freeText || isPersonalColumn(of),
    identifies: identifying.has(column.name),
    path: named === undefined || more.length > 0 ? null : paths.indexOf(named),
    ...(sealed.includes(column) ? { sealedIn: encryptedName(column.name) } : {}),
    ...(plain === undefined ? {} : { carries: { plain: plain.name, encrypted: encryptedName(plain.name) } }),
  };
}

/**
 * By what a person's rows hang together: their keys, and what leads from row to row of people. Readable, it would go on telling which events
 * of an erased person belong together, whatever the map says of a number.
 */
function identifyingColumns(
  { map, catalog, table }: Place,
  { paths, tenantColumn }: { readonly paths: readonly NamedPath[]; readonly tenantColumn: string | null },
): ReadonlySet<string> {
  if (paths.length === 0) return new Set();
  const isOfPeople = (name: string): boolean => (map.tables.get(name)?.of.length ?? 0) > 0 || subjectsOfTable(map, name).length > 0;
  const names = new Set([
    ...keyColumns(table),
    ...paths.flatMap(({ path }) => path.link),
    ...table.foreignKeys.filter(({ references }) => isOfPeople(formatTableName(references))).flatMap(({ columns }) => columns),
    ...referencedBy(catalog, table).flatMap(({ foreignKey }) => foreignKey.references.columns),
  ]);
  if (tenantColumn !== null) names.delete(tenantColumn);
  return names;
}

const BOUNDED =
  /^(smallint|integer|bigint|boolean|uuid|real|double precision|interval|time |oid|name|"char"|numeric|inet|cidr|macaddr|money)/;
const SHORT_TEXT = /^character(?: varying)?\((\d{1,4})\)$/;

/** Names of types of others have their schema in front. */
function isBuiltIn({ baseType, domain }: Column): boolean {
  return domain === null && !baseType.includes('.');
}

function formOf(column: Column): ColumnForm {
  const { baseType, isArray } = column;
  if (isArray || !isBuiltIn(column)) return 'large';
  if (baseType.startsWith('timestamp') && baseType.endsWith('with time zone')) return 'utc';
  if (baseType.startsWith('timestamp') || baseType === 'date') return 'iso';
  if (baseType === 'bytea') return 'hex';
  return BOUNDED.test(baseType) || SHORT_TEXT.test(baseType) ? 'text' : 'large';
}

/** The primary key, else columns that are unique and never null. */
function keyOf(table: Table): PrimaryKey | undefined {
  const isKnown = (name: string): boolean => table.columns.some((column) => column.name === name && column.notNull);
  return table.primaryKey ?? table.uniques.find(({ columns }) => columns.every(isKnown));
}

function keyColumns(table: Table): readonly string[] {
  return keyOf(table)?.columns ?? [];
}

/** A deferrable key may be there twice when a statement ends. */
function namesOneRow(table: Table): boolean {
  const key = keyOf(table);
  return key?.deferral === 'not-deferrable' && !key.withoutOverlaps;
}

/** Their rows come with those of the parent in a query, and their keys are their own. */
function childrenOf(catalog: Catalog, { schema, name }: Table): readonly Table[] {
  return catalog.tables.filter(({ inherits }) => inherits.some((parent) => parent.schema === schema && parent.table === name));
}

/** Those of whose rows no trigger tells. */
function unmappedChildren({ map, catalog, table }: Place): readonly string[] {
  return childrenOf(catalog, table)
    .map(tableName)
    .filter((name) => map.tables.get(name)?.audit.writes !== true);
}
