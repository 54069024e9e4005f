-- Every version of the data map that was ever in force: who put it there, when, its text to the byte, and what it changed.

create table safekeep.datamap_versions (
  tenant_id   text not null references safekeep.tenants,
  version_id  uuid not null,
  -- 1, 2, 3 … for people.
  number      integer not null check (number > 0),
  recorded_at timestamptz not null,
  author      text not null check (author <> ''),
  sha256      text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  map         text not null,
  -- What it says otherwise than the version before, a line each.
  changes     jsonb not null check (jsonb_typeof(changes) = 'array'),
  primary key (tenant_id, version_id),
  unique (tenant_id, number)
);

alter table safekeep.datamap_versions enable row level security;
create policy tenant_isolation on safekeep.datamap_versions
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());

do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  -- History is written once: nobody may change or remove a version.
  grant select, insert on safekeep.datamap_versions to safekeep_app;
  grant select on safekeep.datamap_versions to safekeep_auditor;
end
$$;
