-- Domains, enums, composite and range types of the whole database, for a column may use a type of any schema; the reader
-- lists those of the schemas asked for. Row types of tables and array types are not types of their own here.
select
  t.oid,
  n.oid as "schemaOid",
  n.nspname::text as "schema",
  t.typname::text as "name",
  case t.typtype when 'd' then 'domain' when 'e' then 'enum' when 'c' then 'composite' when 'r' then 'range' end as "kind",
  case when t.typtype = 'd' then t.typbasetype end as "baseOid",
  case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod)
       when t.typtype = 'r' then format_type(r.rngsubtype, null) end as "baseType",
  case when b.typsubscript = 'array_subscript_handler'::regproc then b.typelem end as "baseElementOid",
  t.typnotnull as "notNull",
  t.typdefault as "default",
  case when t.typtype = 'd' and t.typcollation <> b.typcollation then array[ln.nspname, l.collname]::text[] end as "collation",
  array(
    select json_build_object('name', k.conname, 'definition', pg_get_constraintdef(k.oid), 'validated', k.convalidated)
    from pg_constraint k
    where k.contypid = t.oid and k.contype = 'c'
    order by k.conname
  ) as "checks",
  array(select v.enumlabel::text from pg_enum v where v.enumtypid = t.oid order by v.enumsortorder) as "labels",
  array(
    select json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod))
    from pg_attribute a
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    order by a.attnum
  ) as "attributes",
  e.extname::text as "extension",
  d.description as "comment"
from pg_type t
join pg_namespace n on n.oid = t.typnamespace
left join pg_class c on c.oid = t.typrelid and c.relkind = 'c'
left join pg_type b on b.oid = t.typbasetype
left join pg_range r on r.rngtypid = t.oid
left join pg_collation l on l.oid = t.typcollation
left join pg_namespace ln on ln.oid = l.collnamespace
left join pg_depend x on x.classid = 'pg_type'::regclass and x.objid = t.oid and x.objsubid = 0 and x.deptype = 'e'
left join pg_extension e on e.oid = x.refobjid
left join pg_description d on d.classoid = 'pg_type'::regclass and d.objoid = t.oid and d.objsubid = 0
where (t.typtype in ('d', 'e', 'r') or c.oid is not null)
  and not starts_with(n.nspname::text, 'pg_')
order by n.nspname, t.typname
