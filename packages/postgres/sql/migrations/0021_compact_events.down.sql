do $$
begin
  if exists (select from safekeep.audit_events) then
    raise exception 'There are events in a format that an older Safekeep cannot read. Keep what is needed of them first ("safekeep audit export --tiles").';
  end if;
end
$$;

drop function if exists safekeep.close_commitments(bytea, text, text, text[], boolean, bytea, text[]);
drop index safekeep.audit_events_record, safekeep.audit_events_subject, safekeep.audit_events_actor, safekeep.audit_events_others;
drop function safekeep.audit_hashes(text, text[]);

alter table safekeep.audit_events
  drop column commitments,
  drop column columns,
  add column columns text[],
  add column commitments bytea not null check (octet_length(commitments) % 33 = 0),
  add column salts bytea not null check (octet_length(salts) / 16 = octet_length(commitments) / 33 and octet_length(salts) % 16 = 0);

create index audit_events_record on safekeep.audit_events (tenant_id, table_name, record, at);
create index audit_events_subject on safekeep.audit_events (tenant_id, subject, at) where subject is not null;
create index audit_events_others on safekeep.audit_events using gin (other_subjects) where other_subjects is not null;
create index audit_events_actor on safekeep.audit_events (tenant_id, actor, at) where actor is not null;
