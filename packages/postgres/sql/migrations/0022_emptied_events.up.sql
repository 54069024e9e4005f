-- The home's word for what an erasure left of an event: without it whoever has the database could empty any, and say that an erasure did it.
alter table safekeep.audit_events
  add column emptied bytea check (octet_length(emptied) = 16);
