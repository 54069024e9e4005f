-- Event triggers of the whole database.
select
  t.evtname::text as "name",
  t.evtevent::text as "event",
  coalesce(t.evttags, '{}')::text[] as "tags",
  array[n.nspname, f.proname]::text[] as "function",
  case t.evtenabled when 'O' then 'origin' when 'R' then 'replica' when 'A' then 'always' when 'D' then 'disabled' end as "enabled"
from pg_event_trigger t
join pg_proc f on f.oid = t.evtfoid
join pg_namespace n on n.oid = f.pronamespace
order by t.evtname
