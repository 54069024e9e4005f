-- $1 oid[]: the schemas. $2 oid[]: tables that another session holds locked, which are left out. Bits of tgtype as in PostgreSQL's pg_trigger.h. Internal triggers (those of foreign keys) are left out.
select
  t.tgrelid as "tableOid",
  t.oid,
  t.tgname::text as "name",
  array[fn.nspname, f.proname]::text[] as "function",
  array_remove(array[
    case when t.tgtype & 4 > 0 then 'insert' end,
    case when t.tgtype & 16 > 0 then 'update' end,
    case when t.tgtype & 8 > 0 then 'delete' end,
    case when t.tgtype & 32 > 0 then 'truncate' end
  ], null) as "events",
  t.tgattr::int2[] as "updateOf",
  case when t.tgtype & 64 > 0 then 'instead-of' when t.tgtype & 2 > 0 then 'before' else 'after' end as "timing",
  case when t.tgtype & 1 > 0 then 'row' else 'statement' end as "level",
  case t.tgenabled when 'O' then 'origin' when 'R' then 'replica' when 'A' then 'always' when 'D' then 'disabled' end as "enabled",
  t.tgparentid <> 0 as "inherited",
  pg_get_triggerdef(t.oid) as "definition"
from pg_trigger t
join pg_class c on c.oid = t.tgrelid
join pg_proc f on f.oid = t.tgfoid
join pg_namespace fn on fn.oid = f.pronamespace
where c.relnamespace = any ($1::oid[])
  and c.oid <> all ($2::oid[])
  and not t.tgisinternal
order by t.tgrelid, t.tgname
