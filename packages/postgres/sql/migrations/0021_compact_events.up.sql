-- Events take less room: commitments are made again from what stands in the row instead of being stored beside it, all salts of an event
-- follow from one seed, and records and people are found by a hash of their names. docs/audit-format.md has every byte.

do $$
begin
  if exists (select from safekeep.audit_events) then
    raise exception 'There are events in an older format, of a version that was never released. Keep what is needed of them ("safekeep audit export --tiles"), then go back with "safekeep migrate down 9" and up again.';
  end if;
end
$$;

drop function if exists safekeep.destroy_salts(bytea, bytea, bytea, text[]);
drop index safekeep.audit_events_record, safekeep.audit_events_subject, safekeep.audit_events_actor, safekeep.audit_events_others;

alter table safekeep.audit_events
  drop column commitments,
  drop column salts,
  drop column columns,
  -- A list takes half the room of an array, and is asked with the same question: does it hold this name?
  add column columns jsonb check (pg_catalog.jsonb_typeof(columns) = 'array'),
  -- 16 bytes: what all salts of the event follow from. Once one of them was destroyed, each commitment by itself.
  add column commitments bytea not null check (octet_length(commitments) >= 16);

-- A name as eight bytes, whatever its length: an entry of an index ends at 2,700 bytes, and a longer name would stop the log. Whoever
-- looks by a hash compares the name too.
create function safekeep.audit_hashes(tenant text, names text[]) returns bigint[]
  language sql immutable strict parallel safe
  as $$ select pg_catalog.array_agg(pg_catalog.hashtextextended(tenant operator(pg_catalog.||) ' ' operator(pg_catalog.||) name, 0)) from pg_catalog.unnest(names) as name $$;
create index audit_events_record on safekeep.audit_events
  (pg_catalog.hashtextextended(tenant_id || ' ' || table_name || ' ' || record, 0), at) where record is not null;
create index audit_events_subject on safekeep.audit_events
  (pg_catalog.hashtextextended(tenant_id || ' ' || subject, 0), at) where subject is not null;
create index audit_events_others on safekeep.audit_events using gin (safekeep.audit_hashes(tenant_id, other_subjects)) where other_subjects is not null;
create index audit_events_actor on safekeep.audit_events (pg_catalog.hashtextextended(tenant_id || ' ' || actor, 0), at) where actor is not null;
