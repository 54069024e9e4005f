-- The floor: who may do what, whose rows are whose. Runs as the owner of schema safekeep, inside one transaction.

-- Every table below starts with tenant_id. This one lists the tenants themselves.
create table safekeep.tenants (
  tenant_id  text primary key check (tenant_id ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  name       text not null,
  created_at timestamptz not null default now()
);

-- The tenant of the running transaction. NULL when none is set: no row matches, so forgetting it shows nothing.
-- A custom setting is '' and not NULL after its first use in a session, hence nullif.
create function safekeep.current_tenant() returns text
  language sql stable parallel safe
  set search_path = ''
  as $$ select nullif(current_setting('safekeep.tenant', true), '') $$;

alter table safekeep.tenants enable row level security;
create policy tenant_isolation on safekeep.tenants
  using (tenant_id = safekeep.current_tenant())
  with check (tenant_id = safekeep.current_tenant());

insert into safekeep.tenants (tenant_id, name) values ('default', 'Default');

do $$
begin
  -- Where roles could not be made (some managed databases) there is nobody to grant to; `safekeep doctor` tells it.
  if to_regrole('safekeep_app') is null then return; end if;
  grant usage on schema safekeep to safekeep_app, safekeep_auditor, safekeep_ingest, safekeep_subject;
  grant select on safekeep.tenants to safekeep_app, safekeep_auditor;
end
$$;
