alter table safekeep.audit_inbox_even
  alter column record set statistics -1, alter column links set statistics -1, alter column old_links set statistics -1,
  alter column old set statistics -1, alter column new set statistics -1, alter column actor set statistics -1,
  alter column new_record set statistics -1, alter column own set statistics -1, alter column request set statistics -1;
alter table safekeep.audit_inbox_odd
  alter column record set statistics -1, alter column links set statistics -1, alter column old_links set statistics -1,
  alter column old set statistics -1, alter column new set statistics -1, alter column actor set statistics -1,
  alter column new_record set statistics -1, alter column own set statistics -1, alter column request set statistics -1;
