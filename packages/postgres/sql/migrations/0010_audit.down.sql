-- What people may be owed proof of is not dropped unseen: the log is exported first, then its triggers are taken out.
do $$
begin
  if exists (select from safekeep.audit_captures) then
    raise exception 'Tables are still captured. Take that out first: "safekeep unapply".';
  end if;
  if exists (select from safekeep.audit_inbox_even) or exists (select from safekeep.audit_inbox_odd) then
    raise exception 'Events wait to be sequenced. Let them in first: "safekeep audit sequence --once", and export the log.';
  end if;
end
$$;
drop view safekeep.audit_index_health, safekeep.audit_table_health, safekeep.audit_partition_health,
  safekeep.audit_retention, safekeep.audit_compliance, safekeep.audit_security_events, safekeep.audit_data_access;
drop table safekeep.audit_keys_only, safekeep.audit_actor_keys, safekeep.audit_events,
  safekeep.audit_checkpoints, safekeep.audit_tiles, safekeep.audit_trees, safekeep.audit_sequencer, safekeep.audit_captures,
  safekeep.audit_inbox_odd, safekeep.audit_inbox_even;
drop function safekeep.make_audit_partition(date);
drop sequence safekeep.audit_order;
