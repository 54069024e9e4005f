-- $1 oid[]: the schemas. Numbers are bigint and leave as text: a JavaScript number would round them.
select
  c.oid,
  n.nspname::text as "schema",
  c.relname::text as "name",
  case c.relpersistence when 'u' then 'unlogged' else 'permanent' end as "persistence",
  format_type(s.seqtypid, null) as "type",
  s.seqstart::text as "start",
  s.seqincrement::text as "increment",
  s.seqmin::text as "minimum",
  s.seqmax::text as "maximum",
  s.seqcache::text as "cache",
  s.seqcycle as "cycle",
  case when t.oid is not null then json_build_object(
    'schema', tn.nspname,
    'table', t.relname,
    'column', a.attname,
    'as', case o.deptype when 'i' then 'identity' else 'serial' end
  ) end as "ownedBy",
  e.extname::text as "extension"
from pg_sequence s
join pg_class c on c.oid = s.seqrelid
join pg_namespace n on n.oid = c.relnamespace
left join pg_depend o
  on o.classid = 'pg_class'::regclass and o.objid = c.oid and o.objsubid = 0
  and o.refclassid = 'pg_class'::regclass and o.refobjsubid > 0 and o.deptype in ('a', 'i')
left join pg_class t on t.oid = o.refobjid
left join pg_namespace tn on tn.oid = t.relnamespace
left join pg_attribute a on a.attrelid = o.refobjid and a.attnum = o.refobjsubid
left join pg_depend x on x.classid = 'pg_class'::regclass and x.objid = c.oid and x.objsubid = 0 and x.deptype = 'e'
left join pg_extension e on e.oid = x.refobjid
where c.relnamespace = any ($1::oid[])
order by n.nspname, c.relname
