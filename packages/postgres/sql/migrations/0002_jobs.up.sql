-- Jobs: what somebody asked for, how far it is, how it ended. Who runs what and when is decided by pg-boss in schema
-- safekeep_jobs, which holds ids and tenants only; payloads, checkpoints and results stand here, behind row security.

create table safekeep.jobs (
  tenant_id       text not null references safekeep.tenants,
  -- Also the id of the job in pg-boss.
  job_id          uuid not null,
  kind            text not null check (kind ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' and length(kind) <= 60),
  payload_version integer not null check (payload_version >= 1),
  payload         jsonb not null,
  -- The same key twice is the same job.
  idempotency_key text check (length(idempotency_key) between 1 and 200),
  state           text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed', 'cancelled', 'dead')),
  -- Counts every start and never goes back: the fence. A worker may write only while the attempt it started is this one.
  attempt         integer not null default 0 check (attempt >= 0),
  -- Starts that count against the limit of retries: counted before the work begins, so that a job which kills its process
  -- is counted too; given back when a worker hands the job on unharmed; zero again when a person retries it.
  tries           integer not null default 0 check (tries >= 0),
  checkpoint      jsonb,
  result          jsonb,
  progress_done   bigint,
  progress_total  bigint,
  -- Per second, as the worker measured it.
  progress_rate   double precision,
  error_code      text,
  error_message   text,
  created_at      timestamptz not null default now(),
  started_at      timestamptz,
  finished_at     timestamptz,
  primary key (tenant_id, job_id),
  unique (tenant_id, kind, idempotency_key)
);

-- A page of `jobs list --state` is read from here, however many jobs are in other states.
create index jobs_by_state on safekeep.jobs (tenant_id, state, job_id);

create table safekeep.job_schedules (
  tenant_id       text not null references safekeep.tenants,
  kind            text not null check (kind ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' and length(kind) <= 60),
  cron            text not null,
  time_zone       text not null,
  payload_version integer not null check (payload_version >= 1),
  payload         jsonb not null,
  updated_at      timestamptz not null default now(),
  primary key (tenant_id, kind)
);

alter table safekeep.jobs enable row level security;
create policy tenant_isolation on safekeep.jobs
  using (tenant_id = safekeep.current_tenant())
  with check (tenant_id = safekeep.current_tenant());

alter table safekeep.job_schedules enable row level security;
create policy tenant_isolation on safekeep.job_schedules
  using (tenant_id = safekeep.current_tenant())
  with check (tenant_id = safekeep.current_tenant());

do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant select, insert, update, delete on safekeep.jobs, safekeep.job_schedules to safekeep_app;
end
$$;
