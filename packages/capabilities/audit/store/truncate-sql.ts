import type { TableRef } from '@safekeep/core';
import { quoteTable, quoteText } from '@safekeep/postgres';

// A TRUNCATE of a partition by its own name: triggers for statements are not handed down to partitions, and there are none for rows.

const BEFORE = 'safekeep_audit_part_before';
const AFTER = 'safekeep_audit_part_after';

/** The captured table, by its tenant and external name. */
export type PartOf = { readonly tenant: string; readonly table: string };

/** Refuse to empty a part of a captured table without the table. */
export function createPartTriggers(part: TableRef, { tenant, table }: PartOf): readonly string[] {
  const call = `truncate on ${quoteTable(part)} for each statement execute function safekeep.refuse_truncate_of_part(${quoteText(tenant)}, ${quoteText(table)})`;
  return [`create trigger ${BEFORE} before ${call}`, `create trigger ${AFTER} after ${call}`];
}

export function dropPartTriggers(part: TableRef): readonly string[] {
  return [BEFORE, AFTER].map((name) => `drop trigger if exists ${name} on ${quoteTable(part)}`);
}

/** Keys: schema and name of the part. */
export const PROBE_PART = `
  select keys.place::integer as place, found.state, found.disabled
    from pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) with ordinality as keys (parts, place)
    cross join lateral (
      select pg_catalog.string_agg(pg_catalog.pg_get_triggerdef(t.oid), E'\\n' order by t.tgname) as state,
             pg_catalog.bool_or(t.tgenabled not in ('O', 'A')) as disabled
        from pg_catalog.pg_trigger as t
       where t.tgrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I',
               keys.parts operator(pg_catalog.->>) 0, keys.parts operator(pg_catalog.->>) 1))
         and t.tgname in ('${BEFORE}', '${AFTER}') and not t.tgisinternal
      offset 0
    ) as found
   where found.state is not null`;
