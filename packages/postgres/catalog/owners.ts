import type { TableRef } from '@safekeep/core';
import type { Queryable } from './queryable.ts';
import { NOT_OF_USERS } from './user-catalog.ts';

/** A role that owns tables and lends this login nothing of its own. */
export type StrangeOwner = {
  readonly owner: string;
  readonly tables: number;
  /** Gives this login what is missing. */ readonly grant: string;
};

/**
 * Who owns tables that this login can neither give a trigger nor a column: PostgreSQL lets owners alone, and who has their role, ALTER a
 * table (manual, ALTER TABLE). The role of a superuser is not for lending. Without `among` of all tables but the system's, Safekeep's and those of extensions. Most tables first.
 */
export async function strangeOwners(db: Queryable, among?: readonly TableRef[]): Promise<readonly StrangeOwner[]> {
  const { rows } = await db.query(STRANGE_OWNERS, [
    among === undefined ? null : among.map(({ schema }) => schema),
    among === undefined ? null : among.map(({ table }) => table),
  ]);
  // The statement names these columns.
  return rows as readonly StrangeOwner[];
}

const STRANGE_OWNERS = `
  select r.rolname as owner, pg_catalog.count(*)::pg_catalog.int4 as tables,
         case when r.rolsuper
              then pg_catalog.format('ALTER TABLE %s OWNER TO <a role that is no superuser>; (each of them) GRANT <that role> TO %I;',
                                     pg_catalog.min(pg_catalog.format('%I.%I', n.nspname, c.relname)), current_user)
              else pg_catalog.format('GRANT %I TO %I;', r.rolname, current_user) end as "grant"
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    join pg_catalog.pg_roles as r on r.oid = c.relowner
   where c.relkind in ('r', 'p') and not pg_catalog.pg_has_role(c.relowner, 'USAGE')
     and case when $1::pg_catalog.text[] is null
              then n.nspname !~ '${NOT_OF_USERS}'
                   and not exists (select from pg_catalog.pg_depend as d
                                    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype = 'e')
              else exists (select from rows from (pg_catalog.unnest($1), pg_catalog.unnest($2::pg_catalog.text[])) as asked (schema, name)
                            where asked.schema = n.nspname and asked.name = c.relname) end
   group by r.rolname, r.rolsuper order by 2 desc, 1`;
