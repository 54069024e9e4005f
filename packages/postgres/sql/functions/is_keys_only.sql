-- needs: 0010
-- object: function safekeep.is_keys_only()
--
-- Whether this transaction is an erasure's, as safekeep.capture_keys_only wrote down. For the capture functions.
create or replace function safekeep.is_keys_only() returns boolean
  language sql stable
  set search_path = pg_catalog, pg_temp
  as $$
    select exists (select from safekeep.audit_keys_only where xid = pg_catalog.pg_current_xact_id_if_assigned())
  $$;
revoke execute on function safekeep.is_keys_only() from public;
