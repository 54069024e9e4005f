-- needs: 0010
-- object: function safekeep.refuse_truncate_of_part()
--
-- BEFORE and AFTER TRUNCATE of a partition, or a table that inherits, of a captured table. Arguments: tenant, external name of the captured
-- table. PostgreSQL tells TRUNCATE to the table that it names and to what is below it, never to what is above: rows that go with a partition
-- would be told to nobody. So it goes with its table, whose own trigger says so in between, or not at all. What somebody says before
-- the statement counts for nothing: the first of the two takes it back.
create or replace function safekeep.refuse_truncate_of_part() returns trigger
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
  as $$
declare
  noted constant text := 'safekeep.emptied_' || pg_catalog.md5(tg_argv[0] || E'\n' || tg_argv[1]);
begin
  if tg_when = 'BEFORE' then
    perform pg_catalog.set_config(noted, '', true);
    return null;
  end if;
  if pg_catalog.current_setting(noted, true) = 'on' then return null; end if;
  -- It may have been taken out since, and is a table of its own then.
  if not exists (
    with recursive above (oid) as (
      select i.inhparent from pg_catalog.pg_inherits as i where i.inhrelid = tg_relid
      union
      select i.inhparent from above as a join pg_catalog.pg_inherits as i on i.inhrelid = a.oid
    )
    select from above as a join pg_catalog.pg_trigger as t on t.tgrelid = a.oid
     where t.tgname = 'safekeep_audit_truncate'
       and t.tgargs = pg_catalog.convert_to(tg_argv[0], 'UTF8') || '\x00' || pg_catalog.convert_to(tg_argv[1], 'UTF8') || '\x00'
  ) then return null; end if;
  raise exception 'Nothing was emptied: %.% is a part of %, whose changes are logged, and of the rows of one part nobody would be told.',
      tg_table_schema, tg_table_name, tg_argv[1]
    using errcode = 'insufficient_privilege', hint = 'DELETE its rows, or TRUNCATE the whole table, which is named before its parts.';
end
$$;
revoke execute on function safekeep.refuse_truncate_of_part() from public;
