-- $1 oid[]: the schemas. $2 oid[]: tables that another session holds locked. One row per table, view, materialized view and
-- foreign table.
select
  c.oid,
  n.nspname::text as "schema",
  c.relname::text as "name",
  case c.relkind
    when 'r' then 'table'
    when 'p' then 'partitioned-table'
    when 'f' then 'foreign-table'
    when 'v' then 'view'
    when 'm' then 'materialized-view'
  end as "kind",
  case c.relpersistence when 'u' then 'unlogged' else 'permanent' end as "persistence",
  pg_get_userbyid(c.relowner)::text as "owner",
  c.relrowsecurity as "rowSecurityEnabled",
  c.relforcerowsecurity as "rowSecurityForced",
  case c.relreplident when 'd' then 'default' when 'n' then 'nothing' when 'f' then 'full' when 'i' then 'index' end
    as "replicaIdentity",
  c.reltuples::float8 as "rowEstimate",
  c.relpages as "pages",
  case when c.relkind in ('r', 'm') and c.oid <> all ($2::oid[]) then pg_table_size(c.oid)::float8 end as "sizeBytes",
  coalesce(c.reloptions, '{}')::text[] as "options",
  case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end as "partitionKey",
  -- A bound names no column: the table's number only makes it wait for a lock.
  case when c.relispartition then pg_get_expr(c.relpartbound, case when c.oid = any ($2::oid[]) then 0 else c.oid end) end as "bound",
  c.relispartition as "isPartition",
  array(
    select json_build_object('oid', p.oid::int8, 'schema', pn.nspname, 'table', p.relname)
    from pg_inherits i
    join pg_class p on p.oid = i.inhparent
    join pg_namespace pn on pn.oid = p.relnamespace
    where i.inhrelid = c.oid
    order by i.inhseqno
  ) as "parents",
  s.srvname::text as "foreignServer",
  e.extname::text as "extension",
  d.description as "comment",
  has_table_privilege(c.oid, 'select') as "canSelect",
  has_table_privilege(c.oid, 'insert') as "canInsert",
  has_table_privilege(c.oid, 'update') as "canUpdate",
  has_table_privilege(c.oid, 'delete') as "canDelete",
  has_table_privilege(c.oid, 'truncate') as "canTruncate"
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_foreign_table ft on ft.ftrelid = c.oid
left join pg_foreign_server s on s.oid = ft.ftserver
left join pg_depend x
  on x.classid = 'pg_class'::regclass and x.objid = c.oid and x.objsubid = 0 and x.deptype = 'e'
left join pg_extension e on e.oid = x.refobjid
left join pg_description d on d.classoid = 'pg_class'::regclass and d.objoid = c.oid and d.objsubid = 0
where c.relnamespace = any ($1::oid[])
  and c.relkind in ('r', 'p', 'f', 'v', 'm')
order by n.nspname, c.relname
