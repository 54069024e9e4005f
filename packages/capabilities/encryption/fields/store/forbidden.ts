import type { ColumnRef } from '@safekeep/core';
import { quoteName, quoteTable } from '@safekeep/postgres';
import type { Probe } from '../../../plan/index.ts';

/** PostgreSQL cuts longer names. */
const LONGEST_NAME = 63;
const PREFIX = 'safekeep_forbidden_';

function nameOf({ column }: ColumnRef): string {
  let kept = column;
  while (Buffer.byteLength(PREFIX + kept) > LONGEST_NAME) kept = [...kept].slice(0, -1).join('');
  return PREFIX + kept;
}

/** Nothing may stand in the column any more. NOT VALID looks at no row that is there: what stands in them must be emptied by its owner. */
export function forbidValues(column: ColumnRef, { isText }: { readonly isText: boolean }): string {
  const name = quoteName(column.column);
  const empty = `${name} is null${isText ? ` or ${name}::pg_catalog.text operator(pg_catalog.=) ''` : ''}`;
  return `alter table ${quoteTable(column)} add constraint ${quoteName(nameOf(column))} check (${empty}) not valid`;
}

export function allowValues(column: ColumnRef): string {
  return `alter table if exists ${quoteTable(column)} drop constraint if exists ${quoteName(nameOf(column))}`;
}

const CHECKS = `
  select keys.place::integer as place, found.definition as state, false as disabled
    from pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) with ordinality as keys (parts, place)
    cross join lateral (
      select pg_catalog.pg_get_constraintdef(c.oid) as definition
        from pg_catalog.pg_constraint c
       where c.conrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I',
               keys.parts operator(pg_catalog.->>) 0, keys.parts operator(pg_catalog.->>) 1))
         and c.conname = (keys.parts operator(pg_catalog.->>) 2)::pg_catalog.name and c.contype = 'c'
      offset 0
    ) as found`;

export function probeForbidden(column: ColumnRef): Probe {
  return { sql: CHECKS, key: [column.schema, column.table, nameOf(column)] };
}
