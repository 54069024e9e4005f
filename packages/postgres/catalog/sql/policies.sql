-- $1 oid[]: the schemas. $2 oid[]: tables that another session holds locked, which are left out. Role 0 stands for PUBLIC.
select
  p.polrelid as "tableOid",
  p.oid,
  p.polname::text as "name",
  case p.polcmd when '*' then 'all' when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'
    end as "command",
  p.polpermissive as "permissive",
  array(
    select case when role.oid = 0 then 'public' else pg_get_userbyid(role.oid)::text end
    from unnest(p.polroles) as role (oid)
    order by 1
  ) as "roles",
  pg_get_expr(p.polqual, p.polrelid) as "using",
  pg_get_expr(p.polwithcheck, p.polrelid) as "check"
from pg_policy p
join pg_class c on c.oid = p.polrelid
where c.relnamespace = any ($1::oid[])
  and c.oid <> all ($2::oid[])
  -- What a condition asks of another table is printed under a lock on that one.
  and not exists (
    select from pg_depend x
    where x.classid = 'pg_policy'::regclass and x.objid = p.oid
      and x.refclassid = 'pg_class'::regclass and x.refobjid = any ($2::oid[])
  )
order by p.polrelid, p.polname
