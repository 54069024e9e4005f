-- Discovery: what a scan found in each column, and what people decided about it.

-- The last scan that was kept, a row a column; replaced by the next one.
create table safekeep.scan_findings (
  tenant_id        text not null references safekeep.tenants,
  -- The external name: schema.table.column.
  column_name      text not null check (length(column_name) between 1 and 1000),
  schema_name      text not null,
  -- Of name, type and comment: another hash is another column under the same name.
  attribute_sha256 text not null check (attribute_sha256 ~ '^[0-9a-f]{64}$'),
  category         text not null check (category <> ''),
  confidence       double precision not null check (confidence between 0 and 1),
  decision         text not null check (decision in ('certain', 'review', 'none')),
  -- Reasons in words and counts; never a value of a row.
  evidence         jsonb not null check (jsonb_typeof(evidence) = 'array'),
  free_text        boolean not null,
  scanned_at       timestamptz not null,
  primary key (tenant_id, column_name)
);

-- Never changed: the newest of a column holds, and the older ones say what was thought before.
create table safekeep.scan_verdicts (
  tenant_id        text not null references safekeep.tenants,
  verdict_id       uuid not null,
  column_name      text not null check (length(column_name) between 1 and 1000),
  attribute_sha256 text not null check (attribute_sha256 ~ '^[0-9a-f]{64}$'),
  -- A key of the taxonomy, or none.
  category         text not null check (category <> ''),
  note             text check (length(note) between 1 and 2000),
  decided_by       text not null check (length(decided_by) between 1 and 200),
  decided_at       timestamptz not null,
  primary key (tenant_id, verdict_id)
);
create index scan_verdicts_column on safekeep.scan_verdicts (tenant_id, column_name, decided_at);

-- How far the classification of free text has come in each column, and what it found, in counts by kind.
create table safekeep.text_findings (
  tenant_id   text not null references safekeep.tenants,
  column_name text not null check (length(column_name) between 1 and 1000),
  -- The key of the row as text, in the order of the key; null: none was read yet.
  read_to     jsonb check (jsonb_typeof(read_to) = 'array'),
  rows_read   bigint not null check (rows_read >= 0),
  rows_flagged bigint not null check (rows_flagged >= 0),
  kinds       jsonb not null check (jsonb_typeof(kinds) = 'object'),
  updated_at  timestamptz not null,
  primary key (tenant_id, column_name)
);

alter table safekeep.scan_findings enable row level security;
alter table safekeep.scan_verdicts enable row level security;
alter table safekeep.text_findings enable row level security;
create policy tenant_isolation on safekeep.scan_findings
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.scan_verdicts
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.text_findings
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());

do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant select, insert, update, delete on safekeep.scan_findings to safekeep_app;
  grant select, insert on safekeep.scan_verdicts to safekeep_app;
  grant select, insert, update on safekeep.text_findings to safekeep_app;
  grant select on safekeep.scan_findings, safekeep.scan_verdicts, safekeep.text_findings to safekeep_auditor;
end
$$;
