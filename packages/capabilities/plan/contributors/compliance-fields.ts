import { COMPLIANCE_FIELDS, tableName, tableRef, type ComplianceForm, type DataMap } from '@safekeep/core';
import { findTable, type Table } from '@safekeep/postgres';
import type { Contributor, DesiredObject, Problem } from '../model.ts';
import {
  addFields,
  createFieldsTrigger,
  createVersionTrigger,
  dropComplianceTrigger,
  dropFields,
  probeComplianceTrigger,
  probeFields,
} from '../store/compliance.ts';

const FIELDS: ReadonlySet<string> = new Set(COMPLIANCE_FIELDS);

/** What the map asks for a table; null for nothing. */
export type ComplianceRequest = (map: DataMap, table: string) => ComplianceForm | null;

/**
 * The compliance fields of requirement X2 (who deleted a row and why, classification, retention, hold, region, version) for the
 * tables that the map asks them for. A trigger keeps version and author; the other fields are set by those who decide on them.
 */
export function complianceFields(request: ComplianceRequest): Contributor {
  return ({ map, catalog, tenant, applied }) => {
    const wished = [...map.tables.keys()].flatMap((name) => {
      const form = request(map, name);
      const table = findTable(catalog, name);
      // A table that is not there is the comments' problem to tell.
      return form === null || table === undefined ? [] : [{ form, table }];
    });
    const problems = wished.flatMap(({ form, table }) => problemOf(table, form, applied));
    const refused = new Set(problems.map(({ target }) => target));
    const objects = wished
      .filter(({ table }) => !refused.has(tableName(table)))
      .flatMap(({ form, table }) => (form === 'columns' ? columnsOf(table) : [sideTrigger(table, tenant)]));
    return { objects, problems, notes: [] };
  };
}

function problemOf(table: Table, form: ComplianceForm, applied: ReadonlyMap<string, unknown>): readonly Problem[] {
  const refuse = (reason: string): readonly Problem[] => [{ target: tableName(table), reason }];
  if (table.kind !== 'table' && table.kind !== 'partitioned-table')
    return refuse('the compliance fields need a table of its own, not a view or foreign table');
  if (form === 'side-table')
    return table.primaryKey === null
      ? refuse('without a primary key a row cannot be found in the side table of compliance fields')
      : [];
  const taken = table.columns.find(({ name }) => FIELDS.has(name));
  if (taken === undefined || applied.has(complianceColumnsId(tableName(table)))) return [];
  return refuse(`it has a column ${taken.name} of its own; ask for the side table of compliance fields instead`);
}

function columnsOf(table: Table): readonly DesiredObject[] {
  const ref = tableRef(table);
  const columns: DesiredObject = {
    ...common(table, 'compliance-columns'),
    definition: COMPLIANCE_FIELDS.join(','),
    create: [addFields(ref)],
    remove: [dropFields(ref)],
    probe: probeFields(ref),
    locks: [{ ...ref, mode: 'ACCESS EXCLUSIVE' }],
    // What stands in the fields goes with them.
    reversible: false,
    dependsOn: [],
  };
  return [columns, trigger(table, { definition: 'keep_version', statement: createVersionTrigger(ref), dependsOn: [columns.id] })];
}

function sideTrigger(table: Table, tenant: string): DesiredObject {
  const statement = createFieldsTrigger(tableRef(table), { tenant, name: tableName(table), key: table.primaryKey?.columns ?? [] });
  return trigger(table, { definition: statement, statement, dependsOn: [] });
}

function trigger(
  table: Table,
  made: { readonly definition: string; readonly statement: string; readonly dependsOn: readonly string[] },
): DesiredObject {
  const ref = tableRef(table);
  return {
    ...common(table, 'compliance-trigger'),
    definition: made.definition,
    create: [made.statement],
    remove: [dropComplianceTrigger(ref)],
    probe: probeComplianceTrigger(ref),
    locks: [{ ...ref, mode: 'SHARE ROW EXCLUSIVE' }],
    reversible: true,
    dependsOn: made.dependsOn,
  };
}

function common(table: Table, kind: string) {
  return {
    id: `${kind}:${tableName(table)}`,
    kind,
    target: tableName(table),
    rows: 0,
    rewrites: false,
    restores: false,
    runsIn: 'transaction',
  } as const;
}

/** Of the object that makes the columns, by the external name of their table. */
export function complianceColumnsId(table: string): string {
  return `compliance-columns:${table}`;
}
