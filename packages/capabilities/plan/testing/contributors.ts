import { formatTableName, tableRef } from '@safekeep/core';
import { findTable, quoteTable, quoteText } from '@safekeep/postgres';
import type { Contributor, DesiredObject, Probe } from '../model.ts';

const COMMENTS = `
  select key.place::integer as place, pg_catalog.obj_description(pg_catalog.to_regclass(key.name), 'pg_class') as state, false as disabled
    from pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) with ordinality as keys (parts, place),
         lateral (select keys.parts operator(pg_catalog.->>) 0 as name, keys.place) as key
   where pg_catalog.obj_description(pg_catalog.to_regclass(key.name), 'pg_class') is not null`;
const INDEXES = `
  select keys.place::integer as place, pg_catalog.pg_get_indexdef(i.indexrelid) as state, not i.indisvalid as disabled
    from pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) with ordinality as keys (parts, place)
    join pg_catalog.pg_index i on i.indexrelid = pg_catalog.to_regclass(keys.parts operator(pg_catalog.->>) 0)`;

type Wish = Pick<DesiredObject, 'id' | 'kind' | 'target' | 'definition' | 'create' | 'remove' | 'probe' | 'locks'> &
  Partial<DesiredObject>;

/** An object of the ordinary kind, but for what is said. */
export function wish(object: Wish): DesiredObject {
  return { rows: 0, rewrites: false, reversible: true, restores: false, runsIn: 'transaction', dependsOn: [], ...object };
}

/** A comment on each mapped table. */
export const tableComments: Contributor = ({ map, catalog }) => ({
  problems: [],
  notes: [],
  objects: tablesOf(map.tables.keys(), catalog).map((table) => {
    const name = quoteTable(table);
    const target = formatTableName(table);
    const probe: Probe = { sql: COMMENTS, key: [name] };
    return wish({
      id: `table-comment:${target}`,
      kind: 'table-comment',
      target,
      definition: target,
      probe,
      create: [`comment on table ${name} is ${quoteText(`protected ${target}`)}`],
      remove: [`comment on table ${name} is null`],
      locks: [{ ...table, mode: 'SHARE UPDATE EXCLUSIVE' }],
    });
  }),
});

/** An index of each mapped table, made the way that stops nobody. */
export const concurrentIndexes: Contributor = ({ map, catalog }) => ({
  problems: [],
  notes: [],
  objects: tablesOf(map.tables.keys(), catalog).map((table) => {
    const target = formatTableName(table);
    const index = { schema: table.schema, table: `${table.table} safekeep` };
    const drop = `drop index concurrently if exists ${quoteTable(index)}`;
    return wish({
      id: `index:${target}`,
      kind: 'index',
      target,
      definition: target,
      probe: { sql: INDEXES, key: [quoteTable(index)] },
      create: [drop, `create index concurrently "${table.table} safekeep" on ${quoteTable(table)} (id)`],
      remove: [drop],
      locks: [{ ...table, mode: 'SHARE UPDATE EXCLUSIVE' }],
      runsIn: 'alone',
    });
  }),
});

function tablesOf(names: Iterable<string>, catalog: Parameters<typeof findTable>[0]) {
  return [...names].flatMap((name) => {
    const table = findTable(catalog, name);
    return table === undefined ? [] : [tableRef(table)];
  });
}
