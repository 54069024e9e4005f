-- $1 oid[]: the schemas. $2 oid[]: tables that another session holds locked, and all views over them. A dependency without a column stands for the whole table (count(*), a whole-row reference).
select
  c.oid as "tableOid",
  -- pg_relation_size locks the view and so sees the newest state: null when it was dropped after the snapshot, where
  -- pg_get_viewdef would fail.
  case when c.oid = any ($2::oid[]) then null when pg_relation_size(c.oid) is not null then pg_get_viewdef(c.oid) end as "definition",
  array(
    select json_build_object('schema', sn.nspname, 'table', s.relname, 'column', a.attname)
    from pg_rewrite r
    join pg_depend d
      on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass and d.refobjid <> c.oid
    join pg_class s on s.oid = d.refobjid and s.relkind in ('r', 'p', 'f', 'v', 'm')
    join pg_namespace sn on sn.oid = s.relnamespace
    left join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid and d.refobjsubid <> 0
    where r.ev_class = c.oid and r.rulename = '_RETURN'
    group by sn.nspname, s.relname, a.attname, a.attnum
    order by sn.nspname, s.relname, a.attnum
  ) as "reads"
from pg_class c
where c.relnamespace = any ($1::oid[])
  and c.relkind in ('v', 'm')
order by c.oid
