-- Imports whose source stays in use for a while: how far the target has followed it, and the way back after the cut-over.

create table safekeep.import_follows (
  tenant_id         text not null,
  run_id            uuid not null,
  -- following: the source is in use; cut-over: the target is; handed-back: the source is again.
  state             text not null check (state in ('following', 'cut-over', 'handed-back')),
  -- Stands in the source beside its changelog too: another file, or the same one from a backup, is told by it.
  changelog_id      uuid not null,
  -- Everything up to this number of the changelog stands in the target. Moves in the transaction that writes the rows.
  position          bigint not null default 0 check (position >= 0),
  rows_applied      bigint not null default 0 check (rows_applied >= 0),
  -- Tables, their keys and forms: what is needed to read a changed row again on either side.
  plan              jsonb not null,
  -- Taken off the target while rows come in as they changed; put back at the cut-over.
  foreign_keys      jsonb not null,
  started_at        timestamptz not null,
  caught_up_at      timestamptz,
  cut_over_at       timestamptz,
  -- Until then the target keeps a log of its own for the way back.
  way_back_until    timestamptz,
  primary key (tenant_id, run_id),
  foreign key (tenant_id, run_id) references safekeep.import_runs (tenant_id, run_id) on delete cascade
);

-- Rows of the target that changed since the cut-over, by key alone: what stands in them is read when it is needed.
create table safekeep.import_changes (
  tenant_id  text not null,
  run_id     uuid not null,
  change_id  uuid not null,
  -- Name of the target table, without its schema.
  target     text not null,
  -- The key as text, column by column. NULL: the whole table was emptied by TRUNCATE.
  key        text[],
  changed_at timestamptz not null,
  primary key (tenant_id, run_id, change_id),
  foreign key (tenant_id, run_id) references safekeep.import_follows (tenant_id, run_id) on delete cascade
);

alter table safekeep.import_follows enable row level security;
alter table safekeep.import_changes enable row level security;
create policy tenant_isolation on safekeep.import_follows
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.import_changes
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());

do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant select, insert, update, delete on safekeep.import_follows, safekeep.import_changes to safekeep_app;
  grant select on safekeep.import_follows to safekeep_auditor;
end
$$;
