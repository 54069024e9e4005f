-- Holds: what must not be destroyed, because of whom, why and until when it is looked at again.
--
-- Nothing here is ever changed or removed: a hold stands until a row in hold_releases says otherwise, and its review date is
-- that of its newest review. So the history is the tables themselves, and the rights below cannot rewrite it.

create table safekeep.holds (
  tenant_id      text not null references safekeep.tenants,
  hold_id        uuid not null,
  kind           text not null check (kind in ('subject', 'row', 'query')),
  -- As a person writes it: patient:42, public.invoices:17, public.invoices.
  target         text not null check (length(target) between 1 and 2000),
  subject_type   text,
  subject_key    text,
  -- The table (of a subject hold: that of these people) as it was named when the hold was placed, and its number: it is found
  -- again after either has changed, by a rename or by a restore.
  table_schema   text not null,
  table_name     text not null,
  table_oid      oid not null,
  -- A condition in the language of the capability, taken apart; never SQL.
  condition      jsonb,
  -- How many rows were found when it was placed; they stand in hold_rows.
  row_count      bigint not null check (row_count >= 0),
  reason         text not null check (length(reason) between 1 and 2000),
  owner          text not null check (length(owner) between 1 and 200),
  review_by      date not null,
  -- The time that the matter is about; null: all of it.
  concerns_from  timestamptz,
  concerns_until timestamptz,
  placed_by      text not null check (length(placed_by) between 1 and 200),
  placed_at      timestamptz not null,
  primary key (tenant_id, hold_id),
  check ((kind = 'subject') = (subject_type is not null)),
  check ((kind = 'subject') = (subject_key is not null)),
  check ((kind = 'query') = (condition is not null)),
  check (concerns_from < concerns_until)
);
create index holds_subject on safekeep.holds (tenant_id, subject_type, subject_key) where kind = 'subject';
create index holds_table on safekeep.holds (tenant_id, table_schema, table_name);

-- The rows of a hold by their primary keys: the one of a row hold, the person's own of a subject hold, and those that a
-- condition found when the hold was placed, which stay held whatever becomes of their values.
create table safekeep.hold_rows (
  tenant_id text not null,
  hold_id   uuid not null,
  -- As safekeep.record_key writes it.
  row_key   text not null,
  primary key (tenant_id, hold_id, row_key),
  -- Rows are written before their hold, which counts them.
  foreign key (tenant_id, hold_id) references safekeep.holds (tenant_id, hold_id) deferrable initially deferred
);
create index hold_rows_key on safekeep.hold_rows (tenant_id, row_key, hold_id);

create table safekeep.hold_reviews (
  tenant_id   text not null,
  review_id   uuid not null,
  hold_id     uuid not null,
  review_by   date not null,
  reason      text not null check (length(reason) between 1 and 2000),
  reviewed_by text not null check (length(reviewed_by) between 1 and 200),
  reviewed_at timestamptz not null,
  primary key (tenant_id, review_id),
  foreign key (tenant_id, hold_id) references safekeep.holds (tenant_id, hold_id)
);
create index hold_reviews_hold on safekeep.hold_reviews (tenant_id, hold_id, reviewed_at);

create table safekeep.hold_releases (
  tenant_id   text not null,
  hold_id     uuid not null,
  reason      text not null check (length(reason) between 1 and 2000),
  released_by text not null check (length(released_by) between 1 and 200),
  released_at timestamptz not null,
  primary key (tenant_id, hold_id),
  foreign key (tenant_id, hold_id) references safekeep.holds (tenant_id, hold_id)
);

create view safekeep.standing_holds with (security_invoker = true) as
  select * from safekeep.holds as h
   where not exists (select from safekeep.hold_releases as r where r.tenant_id = h.tenant_id and r.hold_id = h.hold_id);

alter table safekeep.holds enable row level security;
alter table safekeep.hold_rows enable row level security;
alter table safekeep.hold_reviews enable row level security;
alter table safekeep.hold_releases enable row level security;
create policy tenant_isolation on safekeep.holds
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.hold_rows
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.hold_reviews
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.hold_releases
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());

do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant select, insert on safekeep.holds, safekeep.hold_rows, safekeep.hold_reviews, safekeep.hold_releases to safekeep_app;
  grant select on safekeep.holds, safekeep.hold_rows, safekeep.hold_reviews, safekeep.hold_releases to safekeep_auditor;
  grant select on safekeep.standing_holds to safekeep_app, safekeep_auditor;
end
$$;
