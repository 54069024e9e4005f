-- $1 oid[]: the schemas. $2 oid[]: tables that another session holds locked. One row per live column, in the order in which the table shows them.
-- format_type answers '???' for a type that was dropped, with its column, after the snapshot.
select
  a.attrelid as "tableOid",
  a.attnum as "number",
  a.attname::text as "name",
  nullif(format_type(a.atttypid, a.atttypmod), '???') as "type",
  a.atttypid as "typeOid",
  case when t.typsubscript = 'array_subscript_handler'::regproc then t.typelem end as "elementOid",
  a.attnotnull as "notNull",
  -- A default names no column: without the table's number it prints faster, and without a lock on the table.
  case when a.attgenerated = '' or a.attrelid <> all ($2::oid[])
    then pg_get_expr(f.adbin, case when a.attgenerated = '' then 0 else f.adrelid end) end as "expression",
  case a.attidentity when 'a' then 'always' when 'd' then 'by-default' end as "identity",
  case a.attgenerated when 's' then 'stored' when 'v' then 'virtual' end as "generated",
  case when a.attcollation <> t.typcollation then array[ln.nspname, l.collname]::text[] end as "collation",
  a.attinhcount > 0 as "inherited",
  d.description as "comment",
  coalesce(has_column_privilege(a.attrelid, a.attnum, 'select'), false) as "canSelect",
  coalesce(has_column_privilege(a.attrelid, a.attnum, 'insert'), false) as "canInsert",
  coalesce(has_column_privilege(a.attrelid, a.attnum, 'update'), false) as "canUpdate"
from pg_class c
join pg_attribute a on a.attrelid = c.oid
join pg_type t on t.oid = a.atttypid
left join pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
left join pg_collation l on l.oid = a.attcollation
left join pg_namespace ln on ln.oid = l.collnamespace
left join pg_description d on d.classoid = 'pg_class'::regclass and d.objoid = a.attrelid and d.objsubid = a.attnum
where c.relnamespace = any ($1::oid[])
  and c.relkind in ('r', 'p', 'f', 'v', 'm')
  and a.attnum > 0
  and not a.attisdropped
order by a.attrelid, a.attnum
