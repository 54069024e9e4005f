-- needs: 0010
-- object: function safekeep.count_before_truncate()
--
-- BEFORE TRUNCATE, with the rights of who truncates: counts what is about to go, or takes the estimate where counting is not
-- allowed, where row security would hide some of it, or where it would keep everybody waiting behind the lock. AFTER TRUNCATE writes it down.
create or replace function safekeep.count_before_truncate() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
  as $$
declare
  counted bigint;
begin
  select c.reltuples into counted from pg_catalog.pg_class as c where c.oid = tg_relid;
  if counted < 1000000 and pg_catalog.has_table_privilege(tg_relid, 'select') and not pg_catalog.row_security_active(tg_relid) then
    execute pg_catalog.format('select pg_catalog.count(*) from %I.%I', tg_table_schema, tg_table_name) into counted;
  end if;
  -- One statement may empty several tables.
  perform pg_catalog.set_config('safekeep.truncated_' || tg_relid, counted::text, true);
  return null;
end
$$;
