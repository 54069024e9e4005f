import { formatTableName, tableRef, type DataMap, type TableRef, type TenantRule } from '@safekeep/core';
import { findTable, type Table } from '@safekeep/postgres';
import type { Contributor, Desired, DesiredObject } from '../model.ts';
import {
  createBasePolicy,
  createTenantPolicy,
  createVisiblePolicy,
  disableRowSecurity,
  dropPolicy,
  enableRowSecurity,
  probePolicy,
  probeRowSecurity,
  type PolicyName,
} from '../store/row-security.ts';
import { complianceColumnsId } from './compliance-fields.ts';

/** What the map asks of row security on a table. */
export type RowSecurityRequest = {
  /** Rows are seen and written by their tenant only. */
  readonly isolate: boolean;
  /** Rows with `deleted_at` are hidden from reads. Needs the compliance fields as columns. */
  readonly hideDeleted: boolean;
};

/**
 * Row security on the user's tables, where the map asks for it and nowhere else: it changes what every query of the application
 * sees. ENABLEd, never FORCEd, since FORCE makes the owner's pg_dump and COPY fail; so it binds everybody but the owner,
 * superusers and BYPASSRLS, which is told as a note.
 */
export function rowSecurity(request: (map: DataMap, table: string) => RowSecurityRequest): Contributor {
  return ({ map, catalog, applied }) => {
    const all = [...map.tables].flatMap(([name, mapped]) => {
      const asked = request(map, name);
      const table = asked.isolate || asked.hideDeleted ? findTable(catalog, name) : undefined;
      // A table that is not there is the comments' problem to tell.
      return table === undefined ? [] : [securityOf(table, { asked, tenant: mapped.tenant ?? map.tenant, applied })];
    });
    return {
      objects: all.flatMap(({ objects }) => objects),
      problems: all.flatMap(({ problems }) => problems),
      notes: all.flatMap(({ notes }) => notes),
    };
  };
}

type Setting = { readonly asked: RowSecurityRequest; readonly tenant: TenantRule; readonly applied: ReadonlyMap<string, unknown> };

function securityOf(table: Table, { asked, tenant, applied }: Setting): Desired {
  const ref = tableRef(table);
  const target = formatTableName(ref);
  const refuse = (reason: string): Desired => ({ objects: [], problems: [{ target, reason }], notes: [] });
  if (table.kind !== 'table' && table.kind !== 'partitioned-table')
    return refuse('only tables have row security, not views or foreign tables');
  const policies: DesiredObject[] = [];
  if (asked.isolate) {
    if (tenant.kind !== 'column') return refuse('rows are isolated by a column that holds the tenant, and the map names none');
    if (!table.columns.some(({ name }) => name === tenant.column)) return refuse(`its tenant column ${tenant.column} is not there`);
    policies.push(policy(ref, 'safekeep_tenant', { statement: createTenantPolicy(ref, tenant.column), dependsOn: [] }));
  }
  if (asked.hideDeleted)
    policies.push(
      policy(ref, 'safekeep_visible', { statement: createVisiblePolicy(ref), dependsOn: [complianceColumnsId(target)] }),
    );
  const text = `Reads not enforced for its owner ${table.owner}, superusers and logins with BYPASSRLS: row security does not bind them. Give the application a login of its own.`;
  return { objects: [...policies, ...switchedOn(table, { ref, policies, applied })], problems: [], notes: [{ target, text }] };
}

type Switch = {
  readonly ref: TableRef;
  readonly policies: readonly DesiredObject[];
  readonly applied: ReadonlyMap<string, unknown>;
};

/** Where the user had it on, their own policies say who sees what; ours only narrow that. */
function switchedOn(table: Table, { ref, policies, applied }: Switch): readonly DesiredObject[] {
  const target = formatTableName(ref);
  const id = `row-security:${target}`;
  if (table.rowSecurity.enabled && !applied.has(id)) return [];
  const base = policy(ref, 'safekeep_base', { statement: createBasePolicy(ref), dependsOn: [] });
  const security: DesiredObject = {
    ...common(ref, id, 'row-security'),
    definition: 'enabled',
    create: [enableRowSecurity(ref)],
    remove: [disableRowSecurity(ref)],
    probe: probeRowSecurity(ref),
    // Switched on last and off first: in between nobody is locked out.
    dependsOn: [...policies, base].map((each) => each.id),
  };
  return [base, security];
}

type Rule = { readonly statement: string; readonly dependsOn: readonly string[] };

function policy(ref: TableRef, name: PolicyName, { statement, dependsOn }: Rule): DesiredObject {
  return {
    ...common(ref, `row-policy:${formatTableName(ref)}:${name}`, 'row-policy'),
    definition: statement,
    create: [statement],
    remove: [dropPolicy(ref, name)],
    probe: probePolicy(ref, name),
    dependsOn,
  };
}

function common(ref: TableRef, id: string, kind: string) {
  const locks = [{ ...ref, mode: 'ACCESS EXCLUSIVE' }] as const;
  return {
    id,
    kind,
    target: formatTableName(ref),
    locks,
    rows: 0,
    rewrites: false,
    reversible: true,
    restores: false,
    runsIn: 'transaction',
  } as const;
}
