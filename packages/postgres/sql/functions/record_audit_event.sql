-- needs: 0010
-- object: function safekeep.record_audit_event(uuid, text, text, text, text, text, jsonb)
--
-- Puts an event of Safekeep's own into the log of the tenant of this transaction: a sign-in, a denial, a read, an export, a
-- decision. Changes of rows come from triggers alone and are refused here. Whose event it is, is as proven as its actor.
create or replace function safekeep.record_audit_event(
    event_id uuid, kind text, action text, subject text, table_name text, record text, details jsonb)
  returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  as $$
declare
  tenant constant text := safekeep.current_tenant();
begin
  if tenant is null then
    raise exception 'An event belongs to a tenant, and this transaction has none.' using errcode = 'insufficient_privilege';
  end if;
  if kind is null or kind not in ('access', 'security', 'compliance', 'retention') then
    raise exception 'Events of kind % are not recorded this way.', kind using errcode = 'invalid_parameter_value';
  end if;
  if event_id is null or action is null or action !~ '^[a-z][a-z0-9-]{0,59}$' or pg_catalog.octet_length(details::text) > 100000 then
    raise exception 'The event is not whole, or larger than 100 kB.' using errcode = 'invalid_parameter_value';
  end if;
  insert into safekeep.audit_inbox_odd (tenant_id, xid, order_no, at, kind, action, table_name, record, actor, purpose, request, proof,
      backend, began, login, application, own)
    values (tenant, pg_catalog.pg_current_xact_id(), pg_catalog.nextval('safekeep.audit_order'), pg_catalog.clock_timestamp(), kind, action,
      table_name, record, nullif(pg_catalog.current_setting('safekeep.actor', true), ''),
      nullif(pg_catalog.current_setting('safekeep.purpose', true), ''), nullif(pg_catalog.current_setting('safekeep.request', true), ''),
      nullif(pg_catalog.current_setting('safekeep.proof', true), ''), pg_catalog.pg_backend_pid(), pg_catalog.now(), session_user,
      pg_catalog.current_setting('application_name'),
      pg_catalog.jsonb_build_object('id', event_id, 'subject', subject, 'details', details));
end
$$;
revoke execute on function safekeep.record_audit_event(uuid, text, text, text, text, text, jsonb) from public;
do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant execute on function safekeep.record_audit_event(uuid, text, text, text, text, text, jsonb) to safekeep_app, safekeep_ingest;
end
$$;
