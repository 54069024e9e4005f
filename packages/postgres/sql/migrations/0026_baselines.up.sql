-- What stood in a captured table at one place of the log. `apply` orders a baseline; the sequencer takes it and tells of it in the log.
create table safekeep.audit_baselines (
  tenant_id  text not null,
  table_name text not null,
  -- Another one with each order: the event that tells of a baseline names the order that it was taken for.
  ordered    uuid not null,
  -- The key and the columns that are wanted in it.
  shape      jsonb not null,
  is_taken   boolean not null,
  -- When it was last found that the rows are not as the log has them, and nothing was taken.
  refused_at timestamptz,
  primary key (tenant_id, table_name)
);

-- Of each row 8 bytes for its key and 8 for its values, by HMAC under a key of the home; in parts, of each tenant its own rows.
create table safekeep.audit_baseline_marks (
  tenant_id  text not null,
  table_name text not null,
  part       integer not null check (part >= 0),
  marks      bytea not null,
  primary key (tenant_id, table_name, part)
);
-- No two hashes are alike: trying to compress them is lost time.
alter table safekeep.audit_baseline_marks alter column marks set storage external;

alter table safekeep.audit_baselines enable row level security;
alter table safekeep.audit_baseline_marks enable row level security;
create policy tenant_isolation on safekeep.audit_baselines
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.audit_baseline_marks
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());

do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  -- Whoever verifies the log may read them, and nobody but the owner writes.
  grant select on safekeep.audit_baselines, safekeep.audit_baseline_marks to safekeep_auditor;
end
$$;
