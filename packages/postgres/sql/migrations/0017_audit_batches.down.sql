-- What lies in batches would be lost with their columns.
do $$
begin
  if exists (select from safekeep.audit_inbox_even where many is not null) or exists (select from safekeep.audit_inbox_odd where many is not null) then
    raise exception 'Changes are waiting to be sequenced. "safekeep audit sequence --once" moves them, and the next but one slot of ten minutes empties the inboxes.';
  end if;
end
$$;
alter table safekeep.audit_inbox_even drop column names, drop column many, drop column events;
alter table safekeep.audit_inbox_odd drop column names, drop column many, drop column events;
