-- What was imported, from where, into what, and the proof that nothing was lost.

create table safekeep.import_runs (
  tenant_id     text not null references safekeep.tenants,
  run_id        uuid not null,
  state         text not null check (state in ('planned', 'loading', 'verifying', 'done', 'failed', 'rolled-back')),
  source        text not null,
  source_sha256 text,
  source_bytes  bigint,
  target_schema text not null,
  -- The schema the tables are built in; nothing of it is left once the run is done, failed or rolled back.
  build_schema  text not null,
  -- The schema that keeps what --replace moved out of the way, until a rollback or until it is dropped by hand.
  kept_schema   text,
  options       jsonb not null,
  started_at    timestamptz not null,
  finished_at   timestamptz,
  -- The whole result and its signature, once there is one.
  result        jsonb,
  signature     jsonb,
  failure       text,
  primary key (tenant_id, run_id)
);

create table safekeep.import_tables (
  tenant_id     text not null,
  run_id        uuid not null,
  source        text not null,
  target        text not null,
  rows_read     bigint not null,
  rows_written  bigint not null,
  quarantined   bigint not null,
  source_digest text,
  target_digest text,
  -- How the digests were made: columns, their types and forms. What `import verify` needs to make them again.
  form          jsonb not null,
  primary key (tenant_id, run_id, source),
  foreign key (tenant_id, run_id) references safekeep.import_runs (tenant_id, run_id) on delete cascade
);

-- Rows that PostgreSQL cannot hold as they are (NUL in a text, bytes that are no UTF-8), whole and unchanged.
create table safekeep.import_quarantine (
  tenant_id text not null,
  run_id    uuid not null,
  source    text not null,
  -- Place of the row in its table; unlike a key it is no personal value.
  ordinal   bigint not null,
  rowid     bigint,
  columns   text[] not null,
  -- The record in SQLite's own format (https://www.sqlite.org/fileformat2.html, section 2.1), texts in UTF-8 or as they were found.
  record    bytea not null,
  primary key (tenant_id, run_id, source, ordinal),
  foreign key (tenant_id, run_id) references safekeep.import_runs (tenant_id, run_id) on delete cascade
);

alter table safekeep.import_runs enable row level security;
alter table safekeep.import_tables enable row level security;
alter table safekeep.import_quarantine enable row level security;
create policy tenant_isolation on safekeep.import_runs
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.import_tables
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.import_quarantine
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());

do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant select, insert, update, delete on safekeep.import_runs, safekeep.import_tables, safekeep.import_quarantine to safekeep_app;
  grant select on safekeep.import_runs, safekeep.import_tables to safekeep_auditor;
end
$$;
