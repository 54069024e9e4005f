import { formatTableName, tableName } from '@safekeep/core';
import type { Catalog, ForeignKey, Index, Table } from './model.ts';

/** What every table of a sharded, tenant-separated schema must satisfy. */
export type ShardingRule =
  /** The first column is the tenant, not null. */
  | 'tenant-first'
  /** The tenant is in the primary key, each unique constraint and index, and each exclusion (there compared with `=`). */
  | 'tenant-in-key'
  /** Each foreign key pairs the tenant with the tenant. A table exempt from `tenant-first` may be pointed at without. */
  | 'tenant-in-foreign-key'
  /** Numbers are not made by the database: no identity column, no serial. */
  | 'no-database-numbering'
  /** No ON DELETE SET NULL or SET DEFAULT, no ON UPDATE that writes: Citus takes neither where the key holds the tenant. */
  | 'no-writing-action'
  /** Row security is enabled, on each partition too: one may be read by its own name. */
  | 'row-security-enabled'
  /** Row security is not forced: FORCE binds the owner, makes audited writes fail and its pg_dump refuse. */
  | 'row-security-not-forced'
  /** A view reads as who asks (`security_invoker`), or row security would judge by its owner, whom it does not bind. */
  | 'view-asks-as-invoker';

/** A table that may break some rules, and why. */
export type ShardingExemption = {
  /** External name: `safekeep.countries`. */
  readonly table: string;
  readonly rules: readonly ShardingRule[];
  readonly reason: string;
};

export type ShardingFault = {
  readonly rule: ShardingRule | 'exemption-unused';
  /** External name. */
  readonly table: string;
  /** For a person: which column, key or index, and what is wrong with it. */
  readonly detail: string;
};

export type ShardingOptions = {
  readonly schema: string;
  /** Default `tenant_id`. */
  readonly tenantColumn?: string;
  readonly exemptions?: readonly ShardingExemption[];
};

/**
 * Where the tables of a schema break the rules that row security and sharding rest on. Empty when nowhere.
 *
 * What a catalogue cannot show is not looked at: volatile functions in an UPDATE, functions that skip the tenant. An exemption
 * that exempts nothing is a fault too: it would silently cover the next one.
 */
export function shardingFaults(catalog: Catalog, options: ShardingOptions): readonly ShardingFault[] {
  const exemptions = options.exemptions ?? [];
  const scope: Scope = {
    tenant: options.tenantColumn ?? 'tenant_id',
    isShared: (table) => exemptions.some((exemption) => exemption.table === table && exemption.rules.includes('tenant-first')),
  };
  const found = catalog.tables.filter((table) => table.schema === options.schema).flatMap((table) => faultsOf(table, scope));
  const covered = (fault: ShardingFault): boolean => exemptions.some((exemption) => covers(exemption, fault));
  return [...found.filter((fault) => !covered(fault)), ...exemptions.flatMap((exemption) => unusedRules(exemption, found))];
}

// PostgreSQL keeps the word that was written, of all that mean true.
const INVOKER = /^security_invoker=(?:t(?:r(?:ue?)?)?|y(?:es?)?|on|1)$/i;

type Scope = {
  readonly tenant: string;
  /** Whether a table is one for all tenants, by exemption. */
  readonly isShared: (table: string) => boolean;
};

function covers(exemption: ShardingExemption, fault: ShardingFault): boolean {
  return exemption.table === fault.table && exemption.rules.some((rule) => rule === fault.rule);
}

function unusedRules(exemption: ShardingExemption, found: readonly ShardingFault[]): readonly ShardingFault[] {
  return exemption.rules
    .filter((rule) => !found.some((fault) => fault.table === exemption.table && fault.rule === rule))
    .map((rule) => ({ rule: 'exemption-unused', table: exemption.table, detail: `it does not break ${rule}` }));
}

function faultsOf(table: Table, scope: Scope): readonly ShardingFault[] {
  const faults = isView(table) ? viewFaults(table) : [...tenantFaults(table, scope), ...otherFaults(table)];
  return faults.map(([rule, detail]) => ({ rule, table: tableName(table), detail }));
}

type Found = readonly [rule: ShardingRule, detail: string];

function isView(table: Table): boolean {
  return table.kind === 'view' || table.kind === 'materialized-view';
}

function viewFaults(table: Table): readonly Found[] {
  if (table.kind === 'materialized-view') return [['view-asks-as-invoker', 'a materialized view holds what its owner may see']];
  if (table.options.some((option) => INVOKER.test(option))) return [];
  return [['view-asks-as-invoker', 'the view is not security_invoker']];
}

function tenantFaults(table: Table, scope: Scope): readonly Found[] {
  return [
    ...firstColumnFaults(table, scope.tenant),
    ...keysOf(table)
      .filter((key) => !key.columns.includes(scope.tenant))
      .map((key): Found => ['tenant-in-key', `${key.name} (${key.columns.join(', ')}) lacks ${scope.tenant}`]),
    ...table.foreignKeys
      .filter((key) => !key.inherited && !scope.isShared(formatTableName(key.references)) && !pairsTenant(key, scope.tenant))
      .map((key): Found => ['tenant-in-foreign-key', `${key.name} does not pair ${scope.tenant} with ${scope.tenant}`]),
  ];
}

function firstColumnFaults(table: Table, tenant: string): readonly Found[] {
  const [first] = table.columns;
  if (first?.name !== tenant) return [['tenant-first', `the first column is ${first?.name ?? 'missing'}, not ${tenant}`]];
  return first.notNull ? [] : [['tenant-first', `${tenant} may be null`]];
}

/** What a row is unique by; that of a partition is told of its parent. */
function keysOf(table: Table): readonly { readonly name: string; readonly columns: readonly string[] }[] {
  const constraints = [...(table.primaryKey === null ? [] : [table.primaryKey]), ...table.uniques];
  const behind = new Set(constraints.map((constraint) => constraint.index));
  const exclusions = table.exclusions.map((exclusion) => ({
    ...exclusion,
    columns: exclusion.elements.flatMap(({ column, operator }) => (column !== null && operator === '=' ? [column] : [])),
  }));
  const indexes = table.indexes
    .filter((index) => index.unique && index.parent === null && !behind.has(index.name))
    .map((index) => ({ name: index.name, columns: plainColumns(index) }));
  return [...[...constraints, ...exclusions].filter((constraint) => !constraint.inherited), ...indexes];
}

function plainColumns(index: Index): readonly string[] {
  return index.keys.flatMap(({ column }) => column ?? []);
}

function pairsTenant(key: ForeignKey, tenant: string): boolean {
  return key.columns.some((column, place) => column === tenant && key.references.columns[place] === tenant);
}

function otherFaults(table: Table): readonly Found[] {
  return [...numberingFaults(table), ...actionFaults(table), ...rowSecurityFaults(table)];
}

function numberingFaults(table: Table): readonly Found[] {
  return table.columns
    .filter((column) => column.identity !== null || (column.default?.includes('nextval(') ?? false))
    .map((column) => ['no-database-numbering', `${column.name} is numbered by the database`]);
}

function actionFaults(table: Table): readonly Found[] {
  return table.foreignKeys
    .filter((key) => !key.inherited)
    .flatMap((key): readonly Found[] => [
      ...(key.onDelete === 'set-null' || key.onDelete === 'set-default' ? [writing(key, 'delete', key.onDelete)] : []),
      ...(key.onUpdate === 'no-action' || key.onUpdate === 'restrict' ? [] : [writing(key, 'update', key.onUpdate)]),
    ]);
}

function writing(key: ForeignKey, event: string, action: string): Found {
  return ['no-writing-action', `${key.name} does ${action} on ${event}`];
}

function rowSecurityFaults(table: Table): readonly Found[] {
  return [
    ...(table.rowSecurity.enabled ? [] : [['row-security-enabled', 'row security is not enabled'] as const]),
    ...(table.rowSecurity.forced ? [['row-security-not-forced', 'row security is forced'] as const] : []),
  ];
}
