-- Requests: what is known of erasures. No personal value: a person stands here by type and key only while something is still to
-- be done for them, and by a keyed hash afterwards.

create table safekeep.erasure_plans (
  tenant_id    text not null references safekeep.tenants,
  plan_hash    text not null check (plan_hash ~ '^[0-9a-f]{64}$'),
  subject_type text not null,
  subject_key  text not null,
  mode         text not null check (mode in ('anonymise', 'delete')),
  -- Rows by table: what the ledger says before anything is done.
  counts       jsonb not null,
  planned_by   text not null check (length(planned_by) between 1 and 200),
  planned_at   timestamptz not null,
  primary key (tenant_id, plan_hash)
);
create index erasure_plans_subject on safekeep.erasure_plans (tenant_id, subject_type, subject_key);

create table safekeep.erasures (
  tenant_id      text not null references safekeep.tenants,
  erasure_id     uuid not null,
  plan_hash      text not null check (plan_hash ~ '^[0-9a-f]{64}$'),
  -- running: in chunks, going on. committed: the rows are done, the certificate is not written yet. held: done but for rows that a hold keeps. due: a hold has ended, to be carried out again.
  -- outside: places outside of the database still have to answer. unfulfilled: something was found afterwards.
  state          text not null check (state in ('running', 'committed', 'held', 'due', 'outside', 'done', 'unfulfilled')),
  mode           text not null check (mode in ('anonymise', 'delete')),
  subject_type   text not null,
  -- Null once nothing is left to be done.
  subject_key    text,
  -- Keyed hash of the person, by the key of the ledger.
  subject_mark   text not null check (subject_mark ~ '^[0-9a-f]{64}$'),
  holds          uuid[] not null,
  -- Where a chunked erasure goes on.
  progress       jsonb,
  certificate    jsonb,
  planned_by     text not null,
  approved_by    text not null,
  started_at     timestamptz not null,
  finished_at    timestamptz,
  primary key (tenant_id, erasure_id),
  check (state in ('done', 'unfulfilled') = (subject_key is null))
);
create index erasures_mark on safekeep.erasures (tenant_id, subject_mark);
create index erasures_open on safekeep.erasures (tenant_id, state) where subject_key is not null;

-- What is still to be told to places outside of the database.
create table safekeep.erasure_calls (
  tenant_id   text not null,
  erasure_id  uuid not null,
  place       text not null,
  state       text not null check (state in ('pending', 'done', 'by-hand')),
  tries       integer not null check (tries >= 0),
  last_tried  timestamptz,
  last_error  text,
  primary key (tenant_id, erasure_id, place),
  foreign key (tenant_id, erasure_id) references safekeep.erasures (tenant_id, erasure_id)
);

-- What became of the made-up person, night by night.
create table safekeep.canary_runs (
  tenant_id text not null references safekeep.tenants,
  run_id    uuid not null,
  at        timestamptz not null,
  state     text not null check (state in ('pass', 'fail', 'not-evaluable')),
  result    jsonb not null,
  primary key (tenant_id, run_id)
);

alter table safekeep.erasure_plans enable row level security;
alter table safekeep.erasures enable row level security;
alter table safekeep.erasure_calls enable row level security;
alter table safekeep.canary_runs enable row level security;
create policy tenant_isolation on safekeep.erasure_plans
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.erasures
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.erasure_calls
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.canary_runs
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());

do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant select, insert, delete on safekeep.erasure_plans to safekeep_app;
  grant select, insert, update on safekeep.erasures, safekeep.erasure_calls to safekeep_app;
  grant select, insert on safekeep.canary_runs to safekeep_app;
  grant select on safekeep.erasures, safekeep.erasure_calls, safekeep.canary_runs to safekeep_auditor;
end
$$;
