-- needs: 0007
-- object: function safekeep.holds_on(text, regclass)
--
-- The standing holds on a table, its partitions and what it is a partition of, and the same of old-style inheritance: a row of one is a row
-- of the other. A table is known by its number, after a rename, and by its name, after a restore.
create or replace function safekeep.holds_on(tenant text, relation regclass) returns setof safekeep.standing_holds
  language sql stable
  as $$
    with recursive below (relid) as (
      select relation::pg_catalog.oid
      union select i.inhrelid from pg_catalog.pg_inherits as i join below on i.inhparent = below.relid
    ), above (relid) as (
      select relation::pg_catalog.oid
      union select i.inhparent from pg_catalog.pg_inherits as i join above on i.inhrelid = above.relid
    )
    select h.* from safekeep.standing_holds as h
     where h.tenant_id = tenant
       and exists (
         select from (select relid from below union select relid from above) as family
           join pg_catalog.pg_class as c on c.oid = family.relid
           join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
          where h.table_oid = c.oid or (h.table_schema = n.nspname and h.table_name = c.relname))
  $$;
