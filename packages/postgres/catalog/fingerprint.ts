import { createHash } from 'node:crypto';
import { formatName, formatTableName, tableName } from '@safekeep/core';
import type * as model from './model.ts';
import { settleExpression } from './settle-expression.ts';

// Part of what is hashed: a change of the rendering below must not pass for a change of somebody's schema, nor hide one.
const RENDERING = 'safekeep structure 1';

/** SHA-256 in hex of each object's structure, by its kind and external name: `column public.patients.email`. */
export type FingerprintParts = ReadonlyMap<string, string>;

export type Difference = { readonly change: 'added' | 'removed' | 'changed'; readonly object: string };

/** `schemas`: which of those that were read; all by default. */
export type FingerprintOptions = { readonly schemas?: readonly string[] };

/**
 * SHA-256, in hex, over the structure of some schemas: what `pg_dump --schema-only --no-owner --no-privileges --no-comments`
 * would write for tables, views, types, functions and sequences, without statistics targets, storage and compression of columns.
 *
 * The same before and after dump and restore, and on two servers of one major version. Not in it: oids, sizes, estimates,
 * owners, grants, comments, positions of sequences, gaps that dropped columns left, and what belongs to an extension.
 * In it: the order of columns, names of constraints, whether row security, triggers and rules are on.
 */
export function fingerprint(catalog: model.Catalog, options: FingerprintOptions = {}): string {
  return fingerprintOf(fingerprintParts(catalog, options));
}

/** The fingerprint of parts that were kept. */
export function fingerprintOf(parts: FingerprintParts): string {
  return sha256([RENDERING, ...[...parts].toSorted(byObject)]);
}

export function fingerprintParts(catalog: model.Catalog, options: FingerprintOptions = {}): FingerprintParts {
  const wanted = (schema: string): boolean => options.schemas === undefined || options.schemas.includes(schema);
  const counts = (object: { readonly schema: string; readonly extension: string | null }): boolean =>
    wanted(object.schema) && object.extension === null;
  const parts: readonly Part[] = [
    ...catalog.schemas.filter((schema) => wanted(schema.name)).map((schema) => part('schema', [schema.name], [])),
    ...catalog.tables.filter(counts).flatMap(tableParts),
    ...catalog.types.filter(counts).map(typePart),
    ...catalog.functions.filter(counts).map(functionPart),
    ...catalog.sequences.filter(counts).map(sequencePart),
  ];
  return new Map(parts.map(([object, content]) => [object, sha256([object, content])]));
}

/** What came, went and changed, sorted by object. Empty when the fingerprints are equal. */
export function differences(before: FingerprintParts, after: FingerprintParts): readonly Difference[] {
  const objects = [...new Set([...before.keys(), ...after.keys()])].toSorted();
  return objects
    .filter((object) => before.get(object) !== after.get(object))
    .map((object) => {
      if (!before.has(object)) return { change: 'added', object };
      return { change: after.has(object) ? 'changed' : 'removed', object };
    });
}

/** An object and everything that is structure about it, as JSON. */
type Part = readonly [object: string, content: readonly unknown[]];

function part(kind: string, name: readonly string[], content: readonly unknown[]): Part {
  return [`${kind} ${formatName(...name)}`, content];
}

function tableParts(table: model.Table): readonly Part[] {
  const path = [table.schema, table.name];
  return [
    tablePart(table),
    ...table.columns.map((column) => part('column', [...path, column.name], columnContent(table, column))),
    ...constraintParts(table).map(([name, content]) => part('constraint', [...path, name], content)),
    ...table.indexes.map((index) => part('index', [table.schema, index.name], indexContent(table, index))),
    ...table.triggers.map((each) => part('trigger', [...path, each.name], [each.enabled, settleExpression(each.definition)])),
    ...table.policies.map((policy) => part('policy', [...path, policy.name], policyContent(policy))),
    ...table.rules.map((rule) => part('rule', [...path, rule.name], [rule.enabled, settleExpression(rule.definition)])),
  ];
}

function tablePart(table: model.Table): Part {
  const { partition, view } = table;
  return part(
    table.kind,
    [table.schema, table.name],
    [
      table.persistence,
      table.rowSecurity.enabled,
      table.rowSecurity.forced,
      table.replicaIdentity,
      table.options.toSorted(),
      table.partitionKey,
      partition === null ? null : [formatTableName(partition.parent), settleExpression(partition.bound)],
      table.inherits.map(formatTableName),
      table.foreignServer,
      view === null ? null : settleExpression(view.definition),
    ],
  );
}

function columnContent(table: model.Table, column: model.Column): readonly unknown[] {
  return [
    // pg_dump writes the columns of parents first: a child that had a column before its parent got one changes their order.
    table.inherits.length > 0 ? null : column.position,
    column.type,
    column.notNull,
    settled(column.default),
    column.identity,
    column.generated === null ? null : [column.generated.kind, settleExpression(column.generated.expression)],
    column.collation,
  ];
}

function constraintParts(table: model.Table): readonly (readonly [name: string, content: readonly unknown[]])[] {
  const state = (each: model.Check | model.ForeignKey | model.NotNull): readonly boolean[] => [each.validated, each.enforced];
  const keys = [
    ...(table.primaryKey === null ? [] : [{ kind: 'primary key', nullsNotDistinct: false, ...table.primaryKey }]),
    ...table.uniques.map((unique) => ({ kind: 'unique', ...unique })),
  ];
  return [
    ...keys.map((key) => [key.name, [key.kind, key.columns, key.deferral, key.withoutOverlaps, key.nullsNotDistinct]] as const),
    ...table.foreignKeys.map((each) => [each.name, ['foreign key', ...foreignKeyContent(each), ...state(each)]] as const),
    ...table.checks.map(
      (each) => [each.name, ['check', settleExpression(each.expression), each.noInherit, ...state(each)]] as const,
    ),
    ...table.exclusions.map((each) => [each.name, ['exclusion', settleExpression(each.definition)]] as const),
    // That an inherited column is not null stands in the column; the name is the parent's affair.
    ...table.notNulls
      .filter((each) => !each.inherited)
      .map((each) => [each.name, ['not null', each.column, each.noInherit, ...state(each)]] as const),
  ];
}

function foreignKeyContent(key: model.ForeignKey): readonly unknown[] {
  const { references } = key;
  return [
    key.columns,
    formatTableName(references),
    references.columns,
    key.onUpdate,
    key.onDelete,
    key.onDeleteColumns,
    key.match,
    key.deferral,
    key.period,
  ];
}

function indexContent(table: model.Table, index: model.Index): readonly unknown[] {
  return [tableName(table), settleExpression(index.definition), index.primary, index.valid, index.replicaIdentity, index.parent];
}

function policyContent(policy: model.Policy): readonly unknown[] {
  return [policy.command, policy.roles.toSorted(), policy.permissive, settled(policy.using), settled(policy.check)];
}

function typePart(type: model.TypeDefinition): Part {
  return part(type.kind, [type.schema, type.name], typeContent(type));
}

function typeContent(type: model.TypeDefinition): readonly unknown[] {
  switch (type.kind) {
    case 'domain': {
      const checks = type.checks.map((check) => [check.name, settleExpression(check.definition), check.validated]);
      return [type.baseType, type.notNull, settled(type.default), type.collation, checks];
    }
    case 'enum':
      return type.labels;
    case 'composite':
      return type.attributes.map((attribute) => [attribute.name, attribute.type]);
    case 'range':
      return [type.subtype];
  }
}

function functionPart(each: model.FunctionDefinition): Part {
  return [
    `${each.kind} ${formatName(each.schema, each.name)}(${each.identityArguments})`,
    [
      settleExpression(each.arguments),
      each.returns,
      each.language,
      each.securityDefiner,
      each.volatility,
      each.strict,
      each.leakproof,
      each.config,
      each.bodySha256,
    ],
  ];
}

function sequencePart(each: model.Sequence): Part {
  const { ownedBy } = each;
  return part(
    'sequence',
    [each.schema, each.name],
    [
      each.persistence,
      each.type,
      each.start,
      each.increment,
      each.minimum,
      each.maximum,
      each.cache,
      each.cycle,
      ownedBy === null ? null : [ownedBy.schema, ownedBy.table, ownedBy.column, ownedBy.as],
    ],
  );
}

function settled(expression: string | null): string | null {
  return expression === null ? null : settleExpression(expression);
}

// By code units and not by a language's order: the same on every machine.
function byObject([a]: readonly [string, string], [b]: readonly [string, string]): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function sha256(content: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}
