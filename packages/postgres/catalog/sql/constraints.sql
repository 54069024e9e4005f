-- $1 oid[]: the schemas. $2 oid[]: tables that another session holds locked. Keys, foreign keys, checks, exclusions and (from PostgreSQL 18) named NOT NULLs of tables.
--
-- PostgreSQL 18 added conenforced and conperiod. Inside the lateral subquery an unqualified name means the catalogue's column
-- where there is one, and else the outer "before_18", so that one text serves every version.
select
  k.conrelid as "tableOid",
  k.oid,
  k.conname::text as "name",
  case k.contype
    when 'p' then 'primary-key'
    when 'u' then 'unique'
    when 'f' then 'foreign-key'
    when 'c' then 'check'
    when 'x' then 'exclusion'
    when 'n' then 'not-null'
  end as "kind",
  coalesce(k.conkey, '{}') as "columns",
  case when not k.condeferrable then 'not-deferrable' when k.condeferred then 'initially-deferred' else 'deferrable' end
    as "deferral",
  k.convalidated as "validated",
  k.conenforced as "enforced",
  k.coninhcount > 0 as "inherited",
  k.connoinherit as "noInherit",
  k.conperiod as "temporal",
  ic.relname::text as "index",
  coalesce(i.indnullsnotdistinct, false) as "nullsNotDistinct",
  case when k.contype = 'c' and k.conrelid <> all ($2::oid[]) then pg_get_expr(k.conbin, k.conrelid) end as "expression",
  case when k.contype = 'x' and k.conrelid <> all ($2::oid[]) then pg_get_constraintdef(k.oid) end as "definition",
  array(
    select o.oprname::text
    from unnest(k.conexclop) with ordinality as operator (oid, place)
    join pg_operator o on o.oid = operator.oid
    order by operator.place
  ) as "operators",
  case when k.contype = 'f' then json_build_object(
    'oid', t.oid::int8,
    'schema', tn.nspname,
    'table', t.relname,
    'columns', array(
      select a.attname
      from unnest(k.confkey) with ordinality as key (number, place)
      join pg_attribute a on a.attrelid = k.confrelid and a.attnum = key.number
      order by key.place
    )
  ) end as "references",
  case k.confupdtype when 'a' then 'no-action' when 'r' then 'restrict' when 'c' then 'cascade' when 'n' then 'set-null'
    when 'd' then 'set-default' end as "onUpdate",
  case k.confdeltype when 'a' then 'no-action' when 'r' then 'restrict' when 'c' then 'cascade' when 'n' then 'set-null'
    when 'd' then 'set-default' end as "onDelete",
  coalesce(k.confdelsetcols, '{}') as "onDeleteColumns",
  case k.confmatchtype when 's' then 'simple' when 'f' then 'full' when 'p' then 'partial' end as "match"
from (select true as conenforced, false as conperiod) as before_18
cross join lateral (
  select
    oid, conname, contype, conrelid, conkey, condeferrable, condeferred, convalidated, conenforced, coninhcount, connoinherit,
    conperiod, conindid, conbin, conexclop, confrelid, confkey, confupdtype, confdeltype, confdelsetcols, confmatchtype, conparentid
  from pg_constraint
) as k
join pg_class c on c.oid = k.conrelid
left join pg_constraint parent on parent.oid = k.conparentid
left join pg_class ic on ic.oid = k.conindid and k.contype in ('p', 'u', 'x')
left join pg_index i on i.indexrelid = ic.oid
left join pg_class t on t.oid = k.confrelid and k.contype = 'f'
left join pg_namespace tn on tn.oid = t.relnamespace
where c.relnamespace = any ($1::oid[])
  and k.contype in ('p', 'u', 'f', 'c', 'x', 'n')
  -- A foreign key to a partitioned table has a hidden copy for each partition it points to: means, not structure.
  and parent.conrelid is distinct from k.conrelid
order by k.conrelid, k.conname, k.oid
