-- needs: 0004
-- object: function safekeep.note_import_changes()
--
-- Notes which rows of an imported table changed after the cut-over, once a statement, so that they can be written back.
-- Arguments of the trigger: tenant, run, end of the way back, and the columns of the key in their order. The transition
-- tables are named old_rows and new_rows. Runs as its owner: whoever may change the table need not know the log.
create or replace function safekeep.note_import_changes() returns trigger
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
  set datestyle = 'ISO, YMD'
  set timezone = 'UTC'
  set bytea_output = 'hex'
  set extra_float_digits = 1
  as $$
declare
  key text;
begin
  if pg_catalog.now() > tg_argv[2]::timestamptz then return null; end if;
  if tg_op = 'TRUNCATE' then
    insert into safekeep.import_changes (tenant_id, run_id, change_id, target, key, changed_at)
    values (tg_argv[0], tg_argv[1]::uuid, pg_catalog.gen_random_uuid(), tg_table_name, null, pg_catalog.now());
    return null;
  end if;
  select pg_catalog.string_agg(pg_catalog.format('%I::text', name), ', ' order by place) into key
    from pg_catalog.unnest(tg_argv[3:]) with ordinality as columns (name, place);
  -- The names of the transition tables are fixed; the key's columns are quoted above.
  if tg_op in ('UPDATE', 'DELETE') then
    execute pg_catalog.format(
      'insert into safekeep.import_changes (tenant_id, run_id, change_id, target, key, changed_at)
       select $1, $2, pg_catalog.gen_random_uuid(), $3, array[%s], pg_catalog.now() from old_rows', key)
      using tg_argv[0], tg_argv[1]::uuid, tg_table_name;
  end if;
  if tg_op in ('UPDATE', 'INSERT') then
    execute pg_catalog.format(
      'insert into safekeep.import_changes (tenant_id, run_id, change_id, target, key, changed_at)
       select $1, $2, pg_catalog.gen_random_uuid(), $3, array[%s], pg_catalog.now() from new_rows', key)
      using tg_argv[0], tg_argv[1]::uuid, tg_table_name;
  end if;
  return null;
end
$$;
revoke execute on function safekeep.note_import_changes() from public;
do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant execute on function safekeep.note_import_changes() to safekeep_app;
end
$$;
