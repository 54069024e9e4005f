-- Capture writes the changes of a statement together: one row of an inbox for up to 256 of them.

alter table safekeep.audit_inbox_even add column names text[], add column many text[], add column events integer;
alter table safekeep.audit_inbox_odd add column names text[], add column many text[], add column events integer;
comment on column safekeep.audit_inbox_even.names is 'The columns that the values of many belong to, in order.';
comment on column safekeep.audit_inbox_even.many is 'A list of texts for each change: its key, what leads to persons, and values by column.';
comment on column safekeep.audit_inbox_even.events is 'How many changes stand in many; null: the row is one.';
