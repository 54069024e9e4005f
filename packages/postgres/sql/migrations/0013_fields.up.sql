-- Encrypted fields: which columns are sealed, how far each has come, and what it can be searched by. No value and no key.

create table safekeep.fields (
  tenant_id        text not null references safekeep.tenants,
  -- Part of what every value is bound to (AAD), so that a renamed column still opens.
  field_id         uuid not null,
  table_schema     text not null,
  table_name       text not null,
  column_name      text not null,
  encrypted_column text not null,
  -- What is inside of a value, and what the column takes: text, character varying(80).
  value_type       text not null check (value_type in ('text', 'int', 'numeric', 'date', 'timestamptz', 'bool', 'json', 'bytea')),
  column_type      text not null,
  length_limit     integer check (length_limit > 0),
  is_card          boolean not null default false,
  mode             text not null check (mode in ('client', 'database')),
  phase            text not null check (phase in
    ('planned', 'added', 'dual-write', 'backfilling', 'verified', 'switched', 'nulled', 'checked', 'finished')),
  direction        text not null default 'in' check (direction in ('in', 'out')),
  -- Names the data key: keys of the field change, this does not.
  key_scope        text not null,
  -- The NOT NULL that finish takes off the plaintext and decrypt gives back; '' where it has no name of its own.
  not_null         text,
  -- Where the running pass is: pages of the table below this one are done.
  next_page        bigint not null default 0 check (next_page >= 0),
  done             bigint not null default 0 check (done >= 0),
  total            bigint not null default 0 check (total >= 0),
  verified         bigint not null default 0 check (verified >= 0),
  rows_per_second  double precision not null default 0,
  failure          text,
  created_at       timestamptz not null,
  changed_at       timestamptz not null,
  primary key (tenant_id, field_id),
  unique (tenant_id, table_schema, table_name, column_name)
);

create table safekeep.field_indexes (
  tenant_id   text not null,
  field_id    uuid not null,
  kind        text not null check (kind in ('exact', 'last4', 'prefix', 'year', 'month', 'soundex')),
  column_name text not null,
  bits        integer not null check (bits between 1 and 64),
  -- What the statistics said when the length was chosen.
  row_count   bigint not null check (row_count >= 0),
  distinct_count bigint not null check (distinct_count >= 0),
  -- What a frequency attack recovers beyond guessing, as a share of the rows.
  attack_gain double precision not null check (attack_gain between 0 and 1),
  -- Named in the HMAC, so that a rotated index is another one.
  version     integer not null default 1 check (version > 0),
  created_at  timestamptz not null,
  primary key (tenant_id, field_id, kind, version),
  foreign key (tenant_id, field_id) references safekeep.fields (tenant_id, field_id) on delete cascade
);

alter table safekeep.fields enable row level security;
alter table safekeep.field_indexes enable row level security;
create policy tenant_isolation on safekeep.fields
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.field_indexes
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());

do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant select, insert, update, delete on safekeep.fields, safekeep.field_indexes to safekeep_app;
  grant select on safekeep.fields, safekeep.field_indexes to safekeep_auditor;
end
$$;
