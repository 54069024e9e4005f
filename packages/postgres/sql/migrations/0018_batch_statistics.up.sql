-- As with the other columns of the inboxes: statistics would keep samples of changes in plaintext. Writing the type anew drops what
-- statistics there are.
alter table safekeep.audit_inbox_even alter column many type text[], alter column names type text[];
alter table safekeep.audit_inbox_odd alter column many type text[], alter column names type text[];
alter table safekeep.audit_inbox_even alter column many set statistics 0, alter column names set statistics 0;
alter table safekeep.audit_inbox_odd alter column many set statistics 0, alter column names set statistics 0;
