-- needs: 0010
-- object: function safekeep.note_truncate()
--
-- AFTER TRUNCATE of a captured table. Arguments: tenant, external name of the table.
create or replace function safekeep.note_truncate() returns trigger
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
  as $$
begin
  insert into safekeep.audit_inbox_even (tenant_id, xid, order_no, at, kind, action, table_name, actor, purpose, request, proof,
      backend, began, login, application, own)
    values (tg_argv[0], pg_catalog.pg_current_xact_id(), pg_catalog.nextval('safekeep.audit_order'), pg_catalog.clock_timestamp(),
      'change', 'truncate', tg_argv[1], nullif(pg_catalog.current_setting('safekeep.actor', true), ''),
      nullif(pg_catalog.current_setting('safekeep.purpose', true), ''), nullif(pg_catalog.current_setting('safekeep.request', true), ''),
      nullif(pg_catalog.current_setting('safekeep.proof', true), ''), pg_catalog.pg_backend_pid(), pg_catalog.now(), session_user,
      pg_catalog.current_setting('application_name'),
      pg_catalog.jsonb_build_object('details', pg_catalog.jsonb_build_object('rows', pg_catalog.current_setting('safekeep.truncated_' || tg_relid, true))));
  -- For the parts of the table, which go with it: see refuse_truncate_of_part.
  perform pg_catalog.set_config('safekeep.emptied_' || pg_catalog.md5(tg_argv[0] || E'\n' || tg_argv[1]), 'on', true);
  return null;
end
$$;
revoke execute on function safekeep.note_truncate() from public;
