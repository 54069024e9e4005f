alter table safekeep.audit_inbox_even alter column many set statistics -1, alter column names set statistics -1;
alter table safekeep.audit_inbox_odd alter column many set statistics -1, alter column names set statistics -1;
