-- $1 oid[]: the schemas. $2 oid[]: tables that another session holds locked, which are left out. pg_get_indexdef and pg_relation_size answer null for an index that was dropped after the snapshot.
select
  i.indrelid as "tableOid",
  ic.oid,
  ic.relname::text as "name",
  m.amname::text as "method",
  i.indisunique as "unique",
  i.indisprimary as "primary",
  i.indisvalid and i.indisready as "valid",
  i.indnullsnotdistinct as "nullsNotDistinct",
  i.indisreplident as "replicaIdentity",
  array(
    select json_build_object(
      'number', key.number,
      'expression', case when key.number = 0 then pg_get_indexdef(i.indexrelid, key.place::int4, false) end,
      -- Bits of indoption: 1 descending, 2 nulls first. INCLUDEd columns have none.
      'descending', coalesce(i.indoption[key.place - 1] & 1 = 1, false),
      'nullsFirst', coalesce(i.indoption[key.place - 1] & 2 = 2, false)
    )
    from unnest(i.indkey::int2[]) with ordinality as key (number, place)
    order by key.place
  ) as "columns",
  i.indnkeyatts as "keyCount",
  pg_get_expr(i.indpred, i.indrelid) as "predicate",
  pg_get_indexdef(i.indexrelid) as "definition",
  parent.relname::text as "parent",
  case when ic.relkind = 'i' then pg_relation_size(ic.oid)::float8 end as "sizeBytes"
from pg_index i
join pg_class c on c.oid = i.indrelid
join pg_class ic on ic.oid = i.indexrelid
join pg_am m on m.oid = ic.relam
left join pg_inherits h on h.inhrelid = ic.oid
left join pg_class parent on parent.oid = h.inhparent
where c.relnamespace = any ($1::oid[])
  and c.oid <> all ($2::oid[])
  and c.relkind in ('r', 'p', 'm')
order by i.indrelid, ic.relname
