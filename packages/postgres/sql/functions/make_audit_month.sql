-- needs: 0010
-- object: function safekeep.make_audit_month(timestamptz)
--
-- Makes the partition of audit_events for the month of an instant, for a sequencer that finds it missing. Runs as the owner of the
-- schema: a month that belonged to the login of the sequencer would be the login's to change, and verification would call it tampering.
create or replace function safekeep.make_audit_month(instant timestamptz) returns text
  language sql volatile security definer
  set search_path = pg_catalog, pg_temp
  as $$
  select safekeep.make_audit_partition((instant at time zone 'UTC')::pg_catalog.date)
$$;
revoke execute on function safekeep.make_audit_month(timestamptz) from public;
