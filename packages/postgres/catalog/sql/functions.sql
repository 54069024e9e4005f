-- $1 oid[]: the schemas. $2 oid[]: tables that another session holds locked; bodies that read them are not printed. The source is hashed by the server: it may be long. A body in standard SQL (BEGIN ATOMIC) is kept
-- parsed, without source, and printed from that.
-- convert_to(x, 'SQL_ASCII') changes no byte; it is the way from text to bytea that cannot fail in any encoding.
select
  p.oid,
  n.nspname::text as "schema",
  p.proname::text as "name",
  pg_get_function_identity_arguments(p.oid) as "identityArguments",
  pg_get_function_arguments(p.oid) as "arguments",
  case p.prokind when 'f' then 'function' when 'p' then 'procedure' when 'a' then 'aggregate' when 'w' then 'window' end as "kind",
  pg_get_function_result(p.oid) as "returns",
  l.lanname::text as "language",
  pg_get_userbyid(p.proowner)::text as "owner",
  p.prosecdef as "securityDefiner",
  case p.provolatile when 'i' then 'immutable' when 's' then 'stable' when 'v' then 'volatile' end as "volatility",
  p.proisstrict as "strict",
  p.proleakproof as "leakproof",
  coalesce(p.proconfig, '{}')::text[] as "config",
  encode(sha256(convert_to(p.prosrc, 'SQL_ASCII')), 'hex') as "sourceSha256",
  case when not exists (
    select from pg_depend b
    where b.classid = 'pg_proc'::regclass and b.objid = p.oid
      and b.refclassid = 'pg_class'::regclass and b.refobjid = any ($2::oid[])
  ) then pg_get_function_sqlbody(p.oid) end as "sqlBody",
  e.extname::text as "extension",
  d.description as "comment"
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
join pg_language l on l.oid = p.prolang
left join pg_depend x on x.classid = 'pg_proc'::regclass and x.objid = p.oid and x.objsubid = 0 and x.deptype = 'e'
left join pg_extension e on e.oid = x.refobjid
left join pg_description d on d.classoid = 'pg_proc'::regclass and d.objoid = p.oid and d.objsubid = 0
where p.pronamespace = any ($1::oid[])
  -- Constructors that came with a range type are a part of it.
  and not exists (
    select from pg_depend i where i.classid = 'pg_proc'::regclass and i.objid = p.oid and i.deptype = 'i'
  )
order by n.nspname, p.proname, p.oid
