import type { ColumnRef } from '@safekeep/core';
import { quoteName, quoteTable, quoteText } from '@safekeep/postgres';
import type { Probe } from '../model.ts';

/** `null` takes the comment away. */
export function commentOnColumn(column: ColumnRef, comment: string | null): string {
  return `comment on column ${quoteTable(column)}.${quoteName(column.column)} is ${comment === null ? 'null' : quoteText(comment)}`;
}

// A look by index for each column: a plain join was planned as all columns times all tables, with minutes for a wide table.
const COMMENTS = `
  select keys.place::integer as place, found.description as state, false as disabled
    from pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) with ordinality as keys (parts, place)
    cross join lateral (
      select d.description
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_description d
          on d.objoid = a.attrelid and d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objsubid = a.attnum
       where a.attrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I',
               keys.parts operator(pg_catalog.->>) 0, keys.parts operator(pg_catalog.->>) 1))
         and a.attname = (keys.parts operator(pg_catalog.->>) 2)::pg_catalog.name and not a.attisdropped
      offset 0
    ) as found`;

export function probeComment({ schema, table, column }: ColumnRef): Probe {
  return { sql: COMMENTS, key: [schema, table, column] };
}
