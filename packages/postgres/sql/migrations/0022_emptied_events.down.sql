alter table safekeep.audit_events
  drop column emptied;
