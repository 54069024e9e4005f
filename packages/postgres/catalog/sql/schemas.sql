-- $1 text[]: names of the schemas to read, or null for all. System, temporary and TOAST schemas are never listed:
-- PostgreSQL reserves the prefix pg_ for them.
select
  n.oid,
  n.nspname::text as "name",
  pg_get_userbyid(n.nspowner)::text as "owner",
  d.description as "comment"
from pg_namespace n
left join pg_description d on d.classoid = 'pg_namespace'::regclass and d.objoid = n.oid and d.objsubid = 0
where ($1::text[] is null or n.nspname::text = any ($1))
  and not starts_with(n.nspname::text, 'pg_')
  and n.nspname <> 'information_schema'
order by n.nspname
