-- needs: 0006
-- object: function safekeep.keep_compliance_fields()
--
-- AFTER INSERT, UPDATE or DELETE of a table whose compliance fields stand in the side table. Arguments: tenant, external name
-- of the table (a partition has another), and the columns of its key.
-- Writes with the owner's rights, since the application has none on the side table; the tenant is an argument of the trigger,
-- which only the table's owner can set.
create or replace function safekeep.keep_compliance_fields() returns trigger
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
  as $$
  declare
    tenant constant text := tg_argv[0];
    of_table constant text := tg_argv[1];
    actor constant text := nullif(pg_catalog.current_setting('safekeep.actor', true), '');
    old_key text;
    new_key text;
  begin
    if tg_op <> 'INSERT' then
      select pg_catalog.string_agg(pg_catalog.to_jsonb(old) ->> k.name, ',' order by k.place) into old_key
        from pg_catalog.unnest(tg_argv[2:]) with ordinality as k (name, place);
    end if;
    if tg_op <> 'DELETE' then
      select pg_catalog.string_agg(pg_catalog.to_jsonb(new) ->> k.name, ',' order by k.place) into new_key
        from pg_catalog.unnest(tg_argv[2:]) with ordinality as k (name, place);
    end if;
    if tg_op = 'DELETE' then
      delete from safekeep.compliance_fields f where f.tenant_id = tenant and f.table_name = of_table and f.record = old_key;
      return null;
    end if;
    if old_key is distinct from new_key and tg_op = 'UPDATE' then
      update safekeep.compliance_fields f set record = new_key
       where f.tenant_id = tenant and f.table_name = of_table and f.record = old_key;
    end if;
    insert into safekeep.compliance_fields as f (tenant_id, table_name, record, last_modified_by_id)
      values (tenant, of_table, new_key, actor)
      on conflict (tenant_id, table_name, record)
      do update set version = f.version + 1, last_modified_by_id = excluded.last_modified_by_id;
    return null;
  end;
  $$;
revoke execute on function safekeep.keep_compliance_fields() from public;
