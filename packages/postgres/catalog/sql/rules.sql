-- $1 oid[]: the schemas. $2 oid[]: tables that another session holds locked, which are left out. Rewrite rules that somebody wrote; the one that makes a view a view is its definition.
select
  r.ev_class as "tableOid",
  r.oid,
  r.rulename::text as "name",
  case r.ev_type when '1' then 'select' when '2' then 'update' when '3' then 'insert' when '4' then 'delete' end as "event",
  r.is_instead as "instead",
  case r.ev_enabled when 'O' then 'origin' when 'R' then 'replica' when 'A' then 'always' when 'D' then 'disabled' end as "enabled",
  pg_get_ruledef(r.oid) as "definition"
from pg_rewrite r
join pg_class c on c.oid = r.ev_class
where c.relnamespace = any ($1::oid[])
  and c.oid <> all ($2::oid[])
  and r.rulename <> '_RETURN'
order by r.ev_class, r.rulename
