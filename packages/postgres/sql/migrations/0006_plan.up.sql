-- What plan and apply brought into the user's database, how to see whether it still stands, and the way back.
--
-- `probe_sql` and `remove_sql` are run by whoever applies, with that login's rights. So nobody but the owner of the schema may
-- write here: the roles of the running program may read and no more.

create table safekeep.apply_runs (
  tenant_id   text not null references safekeep.tenants,
  run_id      uuid not null,
  direction   text not null check (direction in ('apply', 'unapply')),
  plan_sha256 text not null check (plan_sha256 ~ '^[0-9a-f]{64}$'),
  -- Null where everything is taken out: that needs no map.
  map_sha256  text check (map_sha256 ~ '^[0-9a-f]{64}$'),
  -- Fingerprint of the tables that the steps left to do touch: a run is gone on with only while they are still so. Null while a
  -- statement is under way that no transaction carries.
  left_structure text check (left_structure ~ '^[0-9a-f]{64}$'),
  state       text not null check (state in ('running', 'done', 'failed', 'interrupted')),
  started_at  timestamptz not null,
  -- Of an interrupted run it is when that was found out.
  finished_at timestamptz,
  failure     text,
  primary key (tenant_id, run_id),
  check ((state = 'running') = (finished_at is null))
);

create table safekeep.apply_steps (
  tenant_id   text not null,
  run_id      uuid not null,
  position    integer not null check (position > 0),
  step        text not null,
  -- Of everything that the step does: a run is gone on with only where the rest of it is still the same.
  sha256      text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  state       text not null check (state in ('planned', 'started', 'done')),
  started_at  timestamptz,
  finished_at timestamptz,
  primary key (tenant_id, run_id, position),
  foreign key (tenant_id, run_id) references safekeep.apply_runs (tenant_id, run_id),
  check ((state = 'planned') = (started_at is null)),
  check ((state = 'done') = (finished_at is not null))
);

create table safekeep.applied_objects (
  tenant_id         text not null,
  object_id         text not null,
  run_id            uuid not null,
  kind              text not null,
  target            text not null,
  definition_sha256 text not null check (definition_sha256 ~ '^[0-9a-f]{64}$'),
  -- What the probe read right after the object was made; another answer later is drift. Null while a statement that no
  -- transaction carries (CREATE INDEX CONCURRENTLY) has begun and was not seen to end.
  state             text,
  probe_sql         text not null,
  probe_key         jsonb not null,
  remove_sql        text[] not null,
  -- Taking it out puts something of the user's back, which would overwrite what they made of it since.
  restores          boolean not null,
  reversible        boolean not null,
  runs_in           text not null check (runs_in in ('transaction', 'alone')),
  locks             jsonb not null,
  depends_on        text[] not null,
  applied_at        timestamptz not null,
  primary key (tenant_id, object_id),
  foreign key (tenant_id, run_id) references safekeep.apply_runs (tenant_id, run_id)
);
create index applied_objects_run on safekeep.applied_objects (tenant_id, run_id);

-- The columns of mapped tables as the last apply left them: one that came since holds data that nobody has looked at.
create table safekeep.applied_columns (
  tenant_id   text not null references safekeep.tenants,
  table_name  text not null,
  column_name text not null,
  type        text not null,
  primary key (tenant_id, table_name, column_name)
);

-- The user's schemas before the first apply. What `unapply` leaves is held against it.
create table safekeep.apply_baselines (
  tenant_id   text not null,
  run_id      uuid not null,
  fingerprint text not null check (fingerprint ~ '^[0-9a-f]{64}$'),
  -- SHA-256 of each object by its name, of which the fingerprint is made.
  parts       jsonb not null,
  -- The same right after the last apply; null until the first one ends.
  expected    jsonb,
  -- What the user changed since the first apply: of these nothing can be said when all is taken out.
  changed     text[] not null default '{}',
  taken_at    timestamptz not null,
  primary key (tenant_id),
  foreign key (tenant_id, run_id) references safekeep.apply_runs (tenant_id, run_id)
);

-- The compliance fields of rows whose table may not change, where the map asks for them; kept by keep_compliance_fields().
create table safekeep.compliance_fields (
  tenant_id            text not null references safekeep.tenants,
  -- External name of the user's table.
  table_name           text not null,
  -- The row's key, its columns joined by commas.
  record               text not null,
  deleted_at           timestamptz,
  deleted_by_id        text,
  deletion_reason      text,
  data_classification  text check (data_classification in ('public', 'internal', 'confidential', 'restricted', 'pii', 'phi')),
  retention_policy_id  text,
  retention_expires_at timestamptz,
  legal_hold           boolean not null default false,
  data_region          text,
  last_modified_by_id  text,
  version              integer not null default 1,
  primary key (tenant_id, table_name, record)
);

alter table safekeep.apply_runs enable row level security;
alter table safekeep.apply_steps enable row level security;
alter table safekeep.applied_objects enable row level security;
alter table safekeep.applied_columns enable row level security;
alter table safekeep.apply_baselines enable row level security;
alter table safekeep.compliance_fields enable row level security;
create policy tenant_isolation on safekeep.apply_runs
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.apply_steps
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.applied_objects
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.applied_columns
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.apply_baselines
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.compliance_fields
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());

do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant select on safekeep.apply_runs, safekeep.apply_steps, safekeep.applied_objects, safekeep.applied_columns,
    safekeep.apply_baselines, safekeep.compliance_fields to safekeep_app, safekeep_auditor;
  grant insert, update on safekeep.compliance_fields to safekeep_app;
end
$$;
