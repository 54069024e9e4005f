import type pg from 'pg';
import { formatTableName, type TableRef } from '@safekeep/core';
import { NOT_OF_USERS, quoteTable } from '@safekeep/postgres';
import type { Beside, BesideKind, RoutineSource, TriggerSource } from '../model.ts';
import { VIEW_TRIGGER } from './view.ts';

type Of = TableRef & { readonly column: string };

/**
 * Functions of the user's whose source has both words in it, that copy whole rows of the table by the look of it, or that take or give
 * its rows. What they do with them only a reader can tell.
 */
export async function functionsMentioning(client: pg.ClientBase, { column, ...table }: Of): Promise<readonly RoutineSource[]> {
  const { rows } = await client.query<RoutineSource>(
    `with row_type as (select reltype as id from pg_catalog.pg_class where oid = pg_catalog.to_regclass($1))
     select pg_catalog.format('%I.%I', n.nspname, p.proname) as name, body.source, typed."ofRows"
       from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace cross join row_type
      cross join lateral (select coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc) as source offset 0) as body
      cross join lateral (select row_type.id = p.prorettype or row_type.id = any (coalesce(p.proallargtypes, p.proargtypes::pg_catalog.oid[])) as "ofRows") as typed
      where n.nspname !~ '${NOT_OF_USERS}' and p.prokind in ('f', 'p')
        and (typed."ofRows" or (pg_catalog.strpos(pg_catalog.lower(body.source), pg_catalog.lower($2)) > 0
             and (pg_catalog.strpos(pg_catalog.lower(body.source), pg_catalog.lower($3)) > 0 or pg_catalog.strpos(body.source, '*') > 0)))
      order by 1 limit 100`,
    [quoteTable(table), table.table, column],
  );
  return rows;
}

/** What the triggers of a table run, its partitions' too, by the names of the triggers. Ours are left out. */
export async function triggerSources(client: pg.ClientBase, table: TableRef): Promise<readonly TriggerSource[]> {
  const { rows } = await client.query<TriggerSource>(
    `select t.tgname::text as name, p.prosrc as source,
            pg_catalog.array_remove(array[t.tgoldtable::text, t.tgnewtable::text], null) as "transitionTables"
       from pg_catalog.pg_trigger t join pg_catalog.pg_proc p on p.oid = t.tgfoid join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      where not t.tgisinternal and t.tgenabled <> 'D' and n.nspname !~ '${NOT_OF_USERS}'
        and (t.tgrelid = pg_catalog.to_regclass($1)
             or t.tgparentid = 0 and t.tgrelid in (select relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1))))
      order by 1 limit 100`,
    [quoteTable(table)],
  );
  return rows;
}

/** Whether parsed statements or expressions hold whole rows of this type. */
function hasWholeRow(tree: string, rowType: string): string {
  return `pg_catalog.strpos(${tree}::pg_catalog.text, ':varattno 0 :vartype ' || ${rowType} || ' ') > 0`;
}

/**
 * What reads the column, or rows of its table as a whole, from beside the table: by the dependencies that PostgreSQL keeps, through any
 * number of views, and by the type of the table's rows. A whole row leaves no dependency where columns are named as well, so the
 * parsed statements are searched for it (a Var of attribute 0 and of the row's type; src/include/nodes/primnodes.h). A view passes the
 * column on in each of its columns that is not plainly another one (resorigtbl, resorigcol of its target list).
 */
const READERS = `
  named as (
    select a.attrelid as relation, a.attnum as number, a.attacl, a.attcollation
      from pg_catalog.pg_attribute a
     where a.attname = $2 and not a.attisdropped
       and (a.attrelid = pg_catalog.to_regclass($1)
            or a.attrelid in (select relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1))))
  ),
  carried (relation, number) as (
    select relation, number from named
    union
    select r.ev_class, k.attnum
      from carried c
      join pg_catalog.pg_class s on s.oid = c.relation
      join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = c.relation
           and d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
      join pg_catalog.pg_rewrite r on r.oid = d.objid and r.rulename = '_RETURN' and r.ev_class <> c.relation
      join pg_catalog.pg_attribute k on k.attrelid = r.ev_class and k.attnum > 0 and not k.attisdropped
     where (d.refobjsubid = c.number or ${hasWholeRow('r.ev_action', 's.reltype')})
       and (select coalesce(pg_catalog.bool_or(m[1] = '0' or m[2] = '0' or (m[1] = c.relation::pg_catalog.text and m[2] = c.number::pg_catalog.text)), true)
              from pg_catalog.regexp_matches(r.ev_action::pg_catalog.text,
                     ':resno ' || k.attnum || ' :resname (?:\\\\.|[^ \\\\])+ :ressortgroupref [0-9]+ :resorigtbl ([0-9]+) :resorigcol ([0-9]+) :resjunk false', 'g') as m)
  ),
  readers as (
    select d.classid, d.objid, pg_catalog.bool_or(d.refobjsubid = c.number) as by_column
      from carried c
      join pg_catalog.pg_class s on s.oid = c.relation
      join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = c.relation
      left join pg_catalog.pg_rewrite r on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and r.oid = d.objid
      left join pg_catalog.pg_policy p on d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass and p.oid = d.objid
      left join pg_catalog.pg_index i on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and i.indexrelid = d.objid
      left join pg_catalog.pg_constraint k on d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass and k.oid = d.objid and k.contype = 'c'
      left join pg_catalog.pg_statistic_ext x on d.classid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass and x.oid = d.objid
     where coalesce(r.oid, p.oid, i.indexrelid, k.oid, x.oid) is not null
       and (d.refobjsubid = c.number
            or ${hasWholeRow('pg_catalog.concat(r.ev_action, r.ev_qual, p.polqual, p.polwithcheck, i.indexprs, i.indpred, k.conbin, x.stxexprs)', 's.reltype')})
     group by d.classid, d.objid
  ),
  row_types (id) as (
    select c.reltype from named join pg_catalog.pg_class c on c.oid = named.relation
    union
    select t.oid from row_types r
      join pg_catalog.pg_type t on t.typbasetype = r.id or (t.typelem = r.id and t.typlen = -1)
           or exists (select from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind = 'c'
                       where c.reltype = t.oid and a.atttypid = r.id and not a.attisdropped)
  ),
  kept as (
    select a.attrelid as relation, a.attname as name
      from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
     where c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped and a.atttypid in (select id from row_types)
  )`;

const READING_VIEWS = `from readers join pg_catalog.pg_rewrite r on r.oid = readers.objid and r.rulename = '_RETURN' join pg_catalog.pg_class c on c.oid = r.ev_class
    where readers.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass`;

const ROW_INDEXES = `from readers join pg_catalog.pg_class c on c.oid = readers.objid join pg_catalog.pg_index i on i.indexrelid = c.oid
    where readers.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and not readers.by_column and not c.relispartition`;

/** By kind: name of the object and, where it is not the column's, the table that it belongs to or is. */
const BESIDE: Readonly<Record<BesideKind, string>> = {
  'column-grant': `case when g.grantee = 0 then 'public' else pg_catalog.pg_get_userbyid(g.grantee)::text end, null::pg_catalog.oid
    from named, pg_catalog.aclexplode(named.attacl) as g where named.relation = pg_catalog.to_regclass($1)`,
  'audit': `t.tgname, null::pg_catalog.oid from named join pg_catalog.pg_trigger t on t.tgrelid = named.relation and t.tgname = 'safekeep_audit_update'`,
  'collation': `c.collname, null::pg_catalog.oid from named join pg_catalog.pg_collation c on c.oid = named.attcollation where not c.collisdeterministic`,
  'typed-table': `pg_catalog.format_type(c.reloftype, null), null::pg_catalog.oid from named join pg_catalog.pg_class c on c.oid = named.relation where c.reloftype <> 0`,
  'publication': `p.pubname, null::pg_catalog.oid from named join pg_catalog.pg_publication_rel r on r.prrelid = named.relation
    join pg_catalog.pg_publication p on p.oid = r.prpubid where named.number = any (r.prattrs::pg_catalog.int2[])`,
  'publication-of-all': `p.pubname, null::pg_catalog.oid from named join pg_catalog.pg_class c on c.oid = named.relation cross join pg_catalog.pg_publication p
    where p.puballtables
       or exists (select from pg_catalog.pg_publication_rel r where r.prpubid = p.oid and r.prrelid = c.oid and r.prattrs is null)
       or exists (select from pg_catalog.pg_publication_namespace s where s.pnpubid = p.oid and s.pnnspid = c.relnamespace)`,
  'publication-filter': `p.pubname, null::pg_catalog.oid from named join pg_catalog.pg_publication_rel r on r.prrelid = named.relation
    join pg_catalog.pg_publication p on p.oid = r.prpubid
    where r.prqual::pg_catalog.text like '%:varattno ' || named.number || ' :vartype %'`,
  'subscription': `s.subname, null::pg_catalog.oid from named join pg_catalog.pg_subscription_rel r on r.srrelid = named.relation
    join pg_catalog.pg_subscription s on s.oid = r.srsubid where s.subenabled`,
  'subscription-off': `s.subname, null::pg_catalog.oid from named join pg_catalog.pg_subscription_rel r on r.srrelid = named.relation
    join pg_catalog.pg_subscription s on s.oid = r.srsubid where not s.subenabled`,
  'statistics': `x.stxname, null::pg_catalog.oid from readers join pg_catalog.pg_statistic_ext x on x.oid = readers.objid
    where readers.classid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass`,
  'view': `null, c.oid ${READING_VIEWS} and c.relkind = 'v' and not exists (select from pg_catalog.pg_trigger t where t.tgrelid = c.oid and t.tgname = '${VIEW_TRIGGER}')`,
  'materialized-view': `null, c.oid ${READING_VIEWS} and c.relkind = 'm'`,
  'rule': `r.rulename, r.ev_class from readers join pg_catalog.pg_rewrite r on r.oid = readers.objid
    where readers.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and r.rulename <> '_RETURN' and r.ev_class not in (select relation from named)`,
  'policy': `p.polname, nullif(p.polrelid, pg_catalog.to_regclass($1)) from readers join pg_catalog.pg_policy p on p.oid = readers.objid
    where readers.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass`,
  'whole-row-check': `k.conname, null::pg_catalog.oid from readers join pg_catalog.pg_constraint k on k.oid = readers.objid
    where readers.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass and not readers.by_column and k.coninhcount = 0`,
  'whole-row-index': `c.relname, null::pg_catalog.oid ${ROW_INDEXES} and not i.indisunique and not i.indisexclusion`,
  'whole-row-unique': `c.relname, null::pg_catalog.oid ${ROW_INDEXES} and (i.indisunique or i.indisexclusion)`,
  'row-column': `kept.name, kept.relation from kept`,
};

const QUESTION = `with recursive ${READERS}
  select b.kind, b.name::pg_catalog.text as name, n.nspname as schema, c.relname as "table"
    from (${Object.entries(BESIDE)
      .map(([kind, question]) => `select '${kind}' as kind, b.name, b.belongs from (select ${question}) as b (name, belongs)`)
      .join('\n          union ')}) as b
    left join pg_catalog.pg_class c on c.oid = b.belongs left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   order by 1, 3, 4, 2`;

/** Everything that {@link BESIDE} asks for, in one statement. */
export async function besideColumn(client: pg.ClientBase, { column, ...table }: Of): Promise<readonly Beside[]> {
  const { rows } = await client.query<{ kind: BesideKind; name: string | null; schema: string | null; table: string | null }>(
    QUESTION,
    [quoteTable(table), column],
  );
  return rows.map(({ kind, name, schema, table: belongs }) => ({
    kind,
    name,
    table: schema === null || belongs === null ? null : formatTableName({ schema, table: belongs }),
  }));
}
