-- needs: 0016
-- object: function safekeep.note_structure()
--
-- Event trigger at the end of a command that made or changed a table, view or column: one note for each transaction, for scans to
-- know that there is something new. Whatever fails here must not stop the command. Temporary tables are nobody's structure, and
-- beyond some thousand notes another one says nothing more: scans then look at everything.
create or replace function safekeep.note_structure() returns event_trigger
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
  as $$
begin
  if not exists (select from pg_catalog.pg_event_trigger_ddl_commands() as c where c.schema_name is distinct from 'pg_temp') then
    return;
  end if;
  if (select pg_catalog.count(*) from (select from safekeep.structure_notes limit 5000) as n) < 5000 then
    insert into safekeep.structure_notes (tenant_id, xid, noted_at)
      values ('*', pg_catalog.pg_current_xact_id(), pg_catalog.clock_timestamp())
      on conflict do nothing;
  end if;
exception when others then
  raise warning 'safekeep could not note a change of structure (%): the next scan on schedule finds it, within days', sqlstate;
end
$$;
revoke execute on function safekeep.note_structure() from public;
