drop index safekeep.audit_events_unnamed;
