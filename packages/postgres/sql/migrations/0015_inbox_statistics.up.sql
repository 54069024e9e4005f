-- The inboxes hold changes in plaintext until they are sequenced, and an erasure takes them out. Statistics would keep samples of
-- them, readable in pg_stats and not even ended by TRUNCATE. Nothing is planned by these columns. Writing the type anew drops what
-- statistics there are.
alter table safekeep.audit_inbox_even
  alter column record type text, alter column links type text[], alter column old_links type text[], alter column old type jsonb,
  alter column new type jsonb, alter column actor type text, alter column new_record type text, alter column own type jsonb,
  alter column request type text;
alter table safekeep.audit_inbox_odd
  alter column record type text, alter column links type text[], alter column old_links type text[], alter column old type jsonb,
  alter column new type jsonb, alter column actor type text, alter column new_record type text, alter column own type jsonb,
  alter column request type text;
alter table safekeep.audit_inbox_even
  alter column record set statistics 0, alter column links set statistics 0, alter column old_links set statistics 0,
  alter column old set statistics 0, alter column new set statistics 0, alter column actor set statistics 0,
  alter column new_record set statistics 0, alter column own set statistics 0, alter column request set statistics 0;
alter table safekeep.audit_inbox_odd
  alter column record set statistics 0, alter column links set statistics 0, alter column old_links set statistics 0,
  alter column old set statistics 0, alter column new set statistics 0, alter column actor set statistics 0,
  alter column new_record set statistics 0, alter column own set statistics 0, alter column request set statistics 0;
