import type { TableRef } from '@safekeep/core';
import { quoteName, quoteTable } from '@safekeep/postgres';
import type { Probe } from '../model.ts';

export function enableRowSecurity(table: TableRef): string {
  return `alter table ${quoteTable(table)} enable row level security`;
}

export function disableRowSecurity(table: TableRef): string {
  return `alter table if exists ${quoteTable(table)} disable row level security`;
}

/** Restrictive: whatever else allows a row, it must be the tenant's. */
export function createTenantPolicy(table: TableRef, column: string): string {
  const mine = `${quoteName(column)}::pg_catalog.text = safekeep.current_tenant()`;
  return `create policy safekeep_tenant on ${quoteTable(table)} as restrictive using (${mine}) with check (${mine})`;
}

/** Restrictive, for reads only: a row that was deleted softly is as good as gone for whoever is bound by it. */
export function createVisiblePolicy(table: TableRef): string {
  return `create policy safekeep_visible on ${quoteTable(table)} as restrictive for select using (deleted_at is null)`;
}

/** Without any permissive policy nobody sees anything: the user's own decide, or this one where there are none. */
export function createBasePolicy(table: TableRef): string {
  return `create policy safekeep_base on ${quoteTable(table)} using (true) with check (true)`;
}

export type PolicyName = 'safekeep_tenant' | 'safekeep_visible' | 'safekeep_base';

export function dropPolicy(table: TableRef, name: PolicyName): string {
  return `drop policy if exists ${name} on ${quoteTable(table)}`;
}

const ENABLED = `
  select keys.place::integer as place, 'enabled' as state, false as disabled
    from pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) with ordinality as keys (parts, place)
    cross join lateral (
      select from pg_catalog.pg_class c
       where c.oid = pg_catalog.to_regclass(pg_catalog.format('%I.%I',
               keys.parts operator(pg_catalog.->>) 0, keys.parts operator(pg_catalog.->>) 1)) and c.relrowsecurity
      offset 0
    ) as found`;

export function probeRowSecurity({ schema, table }: TableRef): Probe {
  return { sql: ENABLED, key: [schema, table] };
}

const POLICIES = `
  select keys.place::integer as place, found.definition as state, false as disabled
    from pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) with ordinality as keys (parts, place)
    cross join lateral (
      select pg_catalog.concat_ws(' ', case when p.polpermissive then 'permissive' else 'restrictive' end, p.polcmd,
               pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)) as definition
        from pg_catalog.pg_policy p
       where p.polrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I',
               keys.parts operator(pg_catalog.->>) 0, keys.parts operator(pg_catalog.->>) 1))
         and p.polname = (keys.parts operator(pg_catalog.->>) 2)::pg_catalog.name
      offset 0
    ) as found`;

export function probePolicy({ schema, table }: TableRef, name: PolicyName): Probe {
  return { sql: POLICIES, key: [schema, table, name] };
}
