import { COMPLIANCE_FIELDS, type ComplianceField, type TableRef } from '@safekeep/core';
import { quoteName, quoteTable, quoteText } from '@safekeep/postgres';
import type { Probe } from '../model.ts';

/** Of requirement X2. Nothing here makes PostgreSQL write the table anew. */
const TYPES: Readonly<Record<ComplianceField, string>> = {
  deleted_at: 'timestamptz',
  deleted_by_id: 'text',
  deletion_reason: 'text',
  data_classification: 'text',
  retention_policy_id: 'text',
  retention_expires_at: 'timestamptz',
  legal_hold: 'boolean not null default false',
  data_region: 'text',
  last_modified_by_id: 'text',
  version: 'integer not null default 1',
};

export function addFields(table: TableRef): string {
  const columns = COMPLIANCE_FIELDS.map((name) => `add column ${quoteName(name)} ${TYPES[name]}`);
  return `alter table ${quoteTable(table)} ${columns.join(', ')}`;
}

export function dropFields(table: TableRef): string {
  return `alter table if exists ${quoteTable(table)} ${COMPLIANCE_FIELDS.map((name) => `drop column if exists ${quoteName(name)}`).join(', ')}`;
}

const COLUMNS = `
  select keys.place::integer as place, found.columns as state, false as disabled
    from pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) with ordinality as keys (parts, place)
    cross join lateral (
      select pg_catalog.string_agg(pg_catalog.format('%s %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)), ', ' order by a.attname) as columns
        from pg_catalog.pg_attribute a
       where a.attrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I',
               keys.parts operator(pg_catalog.->>) 0, keys.parts operator(pg_catalog.->>) 1))
         and a.attname::pg_catalog.text = any ('{${COMPLIANCE_FIELDS.join(',')}}') and not a.attisdropped
    ) as found
   where found.columns is not null`;

export function probeFields({ schema, table }: TableRef): Probe {
  return { sql: COLUMNS, key: [schema, table] };
}

// First by name among the row triggers that run before, so that the user's see the new version; unlike any name of theirs.
const TRIGGER = 'safekeep_compliance';

export function createVersionTrigger(table: TableRef): string {
  return `create trigger ${TRIGGER} before update on ${quoteTable(table)} for each row execute function safekeep.keep_version()`;
}

export type Keyed = { readonly tenant: string; readonly name: string; readonly key: readonly string[] };

export function createFieldsTrigger(table: TableRef, { tenant, name, key }: Keyed): string {
  const values = [tenant, name, ...key].map(quoteText).join(', ');
  return `create trigger ${TRIGGER} after insert or update or delete on ${quoteTable(table)} for each row execute function safekeep.keep_compliance_fields(${values})`;
}

export function dropComplianceTrigger(table: TableRef): string {
  return `drop trigger if exists ${TRIGGER} on ${quoteTable(table)}`;
}

const TRIGGERS = `
  select keys.place::integer as place, found.definition as state, found.disabled
    from pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) with ordinality as keys (parts, place)
    cross join lateral (
      select pg_catalog.pg_get_triggerdef(t.oid) as definition, t.tgenabled = 'D' as disabled
        from pg_catalog.pg_trigger t
       where t.tgrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I',
               keys.parts operator(pg_catalog.->>) 0, keys.parts operator(pg_catalog.->>) 1))
         and t.tgname = (keys.parts operator(pg_catalog.->>) 2)::pg_catalog.name and not t.tgisinternal
      offset 0
    ) as found`;

export function probeComplianceTrigger({ schema, table }: TableRef): Probe {
  return { sql: TRIGGERS, key: [schema, table, TRIGGER] };
}
