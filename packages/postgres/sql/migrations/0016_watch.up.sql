-- Discovery goes on watching: rows that change after they were read, and the structure of the database.

-- The place in the tenant's log (era, leaf) up to which changes of rows behind read_to were looked at again; null: they are not followed.
alter table safekeep.text_findings
  add column feed_era integer check (feed_era > 0),
  add column feed_index bigint check (feed_index >= 0),
  add constraint text_findings_feed check ((feed_era is null) = (feed_index is null));

-- Transactions that changed the structure, where an event trigger is allowed to note them. In the tenant '*' that is none: the structure
-- is the same for all.
create table safekeep.structure_notes (
  tenant_id text not null check (tenant_id = '*'),
  -- Of the whole transaction, also within savepoints.
  xid       xid8 not null,
  noted_at  timestamptz not null,
  primary key (tenant_id, xid)
);
create index structure_notes_age on safekeep.structure_notes (noted_at);

-- When each tenant's scan last looked, and what it saw then: notes of transactions that are visible in it are known.
create table safekeep.structure_looks (
  tenant_id         text not null references safekeep.tenants,
  seen              pg_snapshot not null,
  -- Numbers of transactions mean nothing in another cluster, nor after it was put back to an earlier time.
  system_identifier text not null,
  timeline          integer not null,
  looked_at         timestamptz not null,
  primary key (tenant_id)
);

alter table safekeep.structure_notes enable row level security;
alter table safekeep.structure_looks enable row level security;
-- A note says that something changed, and neither what nor by whom.
create policy tenant_isolation on safekeep.structure_notes using (tenant_id = '*') with check (tenant_id = '*');
create policy tenant_isolation on safekeep.structure_looks
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());

do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant select, delete on safekeep.structure_notes to safekeep_app;
  grant select, insert, update on safekeep.structure_looks to safekeep_app;
  grant select on safekeep.structure_notes, safekeep.structure_looks to safekeep_auditor;
end
$$;
