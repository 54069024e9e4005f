import { createHash } from 'node:crypto';
import { resolveType } from './column-types.ts';
import type * as model from './model.ts';
import { formatName } from '@safekeep/core';
import type * as rows from './rows.ts';
import { settleExpression } from './settle-expression.ts';

/**
 * Puts the rows of all kinds together.
 *
 * The rows are of one snapshot, but PostgreSQL prints definitions from the newest state. A table that was dropped in between is
 * left out with all that hangs on it, and so is any other object whose definition is no more: as if one had looked later.
 */
export function assemble(read: rows.CatalogRows): model.Catalog {
  const [server] = read.server;
  if (server === undefined) throw new Error('pg_database has no row for the current database.');
  return {
    server,
    schemas: read.schemas,
    tables: assembleTables(read),
    types: assembleTypes(read),
    functions: read.functions.flatMap(functionDefinition),
    sequences: read.sequences,
    extensions: read.extensions,
    eventTriggers: read.eventTriggers.map((row) => ({ ...row, function: formatName(...row.function) })),
  };
}

function assembleTables(read: rows.CatalogRows): readonly model.Table[] {
  const gone = new Set(read.dropped.map((row) => row.oid));
  const types = new Map(read.types.map((type) => [type.oid, type]));
  const columnsOf = byTable(read.columns);
  const constraintsOf = byTable(read.constraints.filter((row) => row.kind !== 'foreign-key' || !gone.has(row.references.oid)));
  const indexesOf = byTable(read.indexes);
  const triggersOf = byTable(read.triggers);
  const policiesOf = byTable(read.policies);
  const rulesOf = byTable(read.rules);
  const viewOf = byTable(read.views);
  return read.tables
    .filter((row) => !gone.has(row.oid))
    .map((row) => {
      const columns = assembleColumns(columnsOf(row.oid), types);
      const names = new Map(columns.map((column) => [column.number, column.name]));
      return {
        ...tableFacts(row),
        columns,
        ...assembleConstraints(constraintsOf(row.oid), names),
        indexes: indexesOf(row.oid).flatMap((each) => index(each, names)),
        triggers: triggersOf(row.oid).flatMap((each) => trigger(each, names)),
        policies: policiesOf(row.oid).map(policy),
        rules: rulesOf(row.oid).flatMap(rule),
        view: viewOf(row.oid).flatMap(viewDefinition)[0] ?? null,
      };
    });
}

function byTable<Row extends { readonly tableOid: number }>(all: readonly Row[]): (tableOid: number) => readonly Row[] {
  const groups = Map.groupBy(all, (row) => row.tableOid);
  return (tableOid) => groups.get(tableOid) ?? [];
}

function tableFacts(row: rows.TableRow): model.TableFacts {
  const parents = row.parents.map(({ schema, table }) => ({ schema, table }));
  const [parent] = parents;
  return {
    oid: row.oid,
    schema: row.schema,
    name: row.name,
    kind: row.kind,
    persistence: row.persistence,
    owner: row.owner,
    comment: row.comment,
    rowSecurity: { enabled: row.rowSecurityEnabled, forced: row.rowSecurityForced },
    replicaIdentity: row.replicaIdentity,
    rowEstimate: row.rowEstimate,
    pages: row.pages,
    sizeBytes: row.sizeBytes,
    options: row.options,
    partitionKey: row.partitionKey,
    partition: row.bound !== null && parent !== undefined ? { parent, bound: row.bound } : null,
    inherits: row.isPartition ? [] : parents,
    foreignServer: row.foreignServer,
    extension: row.extension,
    privileges: {
      select: row.canSelect,
      insert: row.canInsert,
      update: row.canUpdate,
      delete: row.canDelete,
      truncate: row.canTruncate,
    },
  };
}

function assembleColumns(all: readonly rows.ColumnRow[], types: ReadonlyMap<number, rows.TypeRow>): readonly model.Column[] {
  return all
    .flatMap(({ type, ...row }) => (type === null ? [] : [{ ...row, type }]))
    .map((row, place) => ({
      position: place + 1,
      number: row.number,
      name: row.name,
      type: row.type,
      ...resolveType({ oid: row.typeOid, text: row.type, elementOid: row.elementOid }, types),
      notNull: row.notNull,
      default: row.generated === null ? row.expression : null,
      identity: row.identity,
      generated: row.generated === null || row.expression === null ? null : { kind: row.generated, expression: row.expression },
      collation: row.collation === null ? null : formatName(...row.collation),
      inherited: row.inherited,
      comment: row.comment,
      privileges: { select: row.canSelect, insert: row.canInsert, update: row.canUpdate },
    }));
}

type Constraints = Pick<model.Table, 'primaryKey' | 'uniques' | 'foreignKeys' | 'checks' | 'exclusions' | 'notNulls'>;

/** Names of a table's columns by their number. */
type Names = ReadonlyMap<number, string>;

function assembleConstraints(all: readonly rows.ConstraintRow[], names: Names): Constraints {
  return {
    primaryKey: all.flatMap((row) => (row.kind === 'primary-key' ? [key(row, names)] : []))[0] ?? null,
    uniques: all.flatMap((row) => (row.kind === 'unique' ? [{ ...key(row, names), nullsNotDistinct: row.nullsNotDistinct }] : [])),
    foreignKeys: all.flatMap((row) => (row.kind === 'foreign-key' ? [foreignKey(row, names)] : [])),
    checks: all.flatMap((row) => (row.kind === 'check' ? check(row, names) : [])),
    exclusions: all.flatMap((row) => (row.kind === 'exclusion' ? exclusion(row, names) : [])),
    notNulls: all.flatMap((row) => (row.kind === 'not-null' ? notNull(row, names) : [])),
  };
}

function named(numbers: readonly number[], names: Names): readonly string[] {
  return numbers.flatMap((number) => names.get(number) ?? []);
}

function common(row: rows.ConstraintRow): Pick<model.PrimaryKey, 'oid' | 'name' | 'validated' | 'enforced' | 'inherited'> {
  return { oid: row.oid, name: row.name, validated: row.validated, enforced: row.enforced, inherited: row.inherited };
}

function key(row: rows.KeyRow, names: Names): model.PrimaryKey {
  const columns = named(row.columns, names);
  return { ...common(row), columns, deferral: row.deferral, index: row.index, withoutOverlaps: row.temporal };
}

function foreignKey(row: rows.ForeignKeyRow, names: Names): model.ForeignKey {
  return {
    ...common(row),
    columns: named(row.columns, names),
    references: row.references,
    onUpdate: row.onUpdate,
    onDelete: row.onDelete,
    onDeleteColumns: named(row.onDeleteColumns, names),
    match: row.match,
    deferral: row.deferral,
    period: row.temporal,
  };
}

function check(row: rows.CheckRow, names: Names): readonly model.Check[] {
  if (row.expression === null) return [];
  return [{ ...common(row), columns: named(row.columns, names), expression: row.expression, noInherit: row.noInherit }];
}

function exclusion(row: rows.ExclusionRow, names: Names): readonly model.Exclusion[] {
  if (row.definition === null) return [];
  const elements = row.operators.map((operator, place) => ({ column: names.get(row.columns[place] ?? 0) ?? null, operator }));
  return [{ ...common(row), elements, definition: row.definition, deferral: row.deferral, index: row.index }];
}

function notNull(row: rows.NotNullRow, names: Names): readonly model.NotNull[] {
  return named(row.columns, names).map((column) => ({ ...common(row), column, noInherit: row.noInherit }));
}

function index({ tableOid: _, columns, keyCount, definition, ...row }: rows.IndexRow, names: Names): readonly model.Index[] {
  if (definition === null) return [];
  const keys = columns.slice(0, keyCount).map(({ number, ...each }) => ({ column: names.get(number) ?? null, ...each }));
  const included = named(
    columns.slice(keyCount).map(({ number }) => number),
    names,
  );
  return [{ ...row, keys, included, definition }];
}

function trigger({ tableOid: _, definition, ...row }: rows.TriggerRow, names: Names): readonly model.Trigger[] {
  if (definition === null) return [];
  return [{ ...row, function: formatName(...row.function), updateOf: named(row.updateOf, names), definition }];
}

function policy({ tableOid: _, ...row }: rows.PolicyRow): model.Policy {
  return row;
}

function rule({ tableOid: _, definition, ...row }: rows.RuleRow): readonly model.Rule[] {
  return definition === null ? [] : [{ ...row, definition }];
}

function viewDefinition({ definition, reads }: rows.ViewRow): readonly model.ViewDefinition[] {
  return definition === null ? [] : [{ definition, reads }];
}

function functionDefinition({ sourceSha256, sqlBody, ...row }: rows.FunctionRow): readonly model.FunctionDefinition[] {
  const { identityArguments, arguments: all } = row;
  if (identityArguments === null || all === null) return [];
  const bodySha256 = sqlBody === null ? sourceSha256 : createHash('sha256').update(settleExpression(sqlBody)).digest('hex');
  return [{ ...row, identityArguments, arguments: all, bodySha256 }];
}

function assembleTypes(read: rows.CatalogRows): readonly model.TypeDefinition[] {
  const listed = new Set(read.schemas.map((schema) => schema.oid));
  return read.types.filter((row) => listed.has(row.schemaOid)).map(typeDefinition);
}

function typeDefinition(row: rows.TypeRow): model.TypeDefinition {
  const { oid, schema, name, extension, comment } = row;
  const named = { oid, schema, name, extension, comment };
  switch (row.kind) {
    case 'enum':
      return { ...named, kind: 'enum', labels: row.labels };
    case 'composite':
      return { ...named, kind: 'composite', attributes: row.attributes };
    case 'range':
      return { ...named, kind: 'range', subtype: row.baseType };
    case 'domain':
      return {
        ...named,
        kind: 'domain',
        baseType: row.baseType,
        notNull: row.notNull,
        default: row.default,
        collation: row.collation === null ? null : formatName(...row.collation),
        checks: row.checks,
      };
  }
}
