-- needs: 0010
-- object: function safekeep.capture_keys_only(text, text)
--
-- For the rest of this transaction capture writes keys and names of columns, and no values: an erasure's own triggers would write
-- down what it erases. The setting is only a hint to look here; without this row, which nobody but the owner can write, it does nothing.
create or replace function safekeep.capture_keys_only(tenant text, subject text) returns void
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
  as $$
begin
  insert into safekeep.audit_keys_only (tenant_id, xid, subject) values (tenant, pg_catalog.pg_current_xact_id(), subject)
    on conflict do nothing;
  perform pg_catalog.set_config('safekeep.keys_only', 'on', true);
end
$$;
revoke execute on function safekeep.capture_keys_only(text, text) from public;
