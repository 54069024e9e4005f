-- Keys: whose data is sealed under what. A key stands here wrapped under a key of its epoch, which stands outside the database
-- and its backups; so whoever has only the database, or a copy of it, opens nothing.

create table safekeep.encryption_epochs (
  tenant_id    text not null references safekeep.tenants,
  epoch        integer not null check (epoch > 0),
  -- current: new keys are wrapped under it. retiring: its keys are being wrapped under the next one. destroyed: it is no more.
  state        text not null check (state in ('current', 'retiring', 'destroyed')),
  -- Tells whether a key file is the one that the keys of this database were wrapped under.
  kek_check    bytea not null check (length(kek_check) = 8),
  created_at   timestamptz not null,
  retired_at   timestamptz,
  destroyed_at timestamptz,
  primary key (tenant_id, epoch),
  check ((state = 'current') = (retired_at is null)),
  check ((state = 'destroyed') = (destroyed_at is not null))
);
create unique index encryption_epochs_current on safekeep.encryption_epochs (tenant_id) where state = 'current';

create table safekeep.encryption_keys (
  tenant_id      text not null references safekeep.tenants,
  -- As it stands in the header of every sealed value. Random.
  key_id         bytea not null check (length(key_id) = 8),
  -- subject: a person's; data: of a type of data; index: for blind indexes, opens nothing.
  key_purpose    text not null check (key_purpose in ('subject', 'data', 'index')),
  -- What a data or index key is for; null for a person's.
  scope          text check (length(scope) between 1 and 200),
  -- Of a person's key, who: HMAC under a key of the tenant, so that neither this table nor its backups name anybody, and a key
  -- that was destroyed is remembered without them.
  owner_mark     bytea check (length(owner_mark) = 16),
  -- Of a person's key: what an erasure does to what is sealed under it.
  fate           text check (fate in ('erasable', 'kept')),
  algorithm      text not null check (algorithm in ('AES-256-GCM', 'HMAC-SHA-256')),
  version        integer not null check (version > 0),
  -- held: destruction was asked for and a hold stands in the way; until then it works on.
  state          text not null check (state in ('pre-active', 'active', 'decrypt-only', 'held', 'shredded')),
  is_active      boolean generated always as (state in ('active', 'held')) stored,
  epoch          integer not null,
  -- Under the key of the epoch. Nothing when shredded: the row stays, so that the key is never made again.
  wrapped        bytea check (length(wrapped) = 48),
  usage_count    bigint not null default 0 check (usage_count >= 0),
  last_used_at   timestamptz,
  created_at     timestamptz not null,
  expires_at     timestamptz,
  destroyed_at   timestamptz,
  primary key (tenant_id, key_id),
  check ((key_purpose = 'subject') = (scope is null)),
  check ((key_purpose = 'subject') = (owner_mark is not null)),
  check ((key_purpose = 'subject') = (fate is not null)),
  check ((state = 'shredded') = (wrapped is null)),
  check ((state = 'shredded') = (destroyed_at is not null))
);
-- One key of a version each: of two who make it at once, one wins.
create unique index encryption_keys_owner on safekeep.encryption_keys (tenant_id, owner_mark, version) where owner_mark is not null;
create unique index encryption_keys_scope on safekeep.encryption_keys (tenant_id, key_purpose, scope, version) where scope is not null;

create table safekeep.encryption_audit_log (
  tenant_id           text not null references safekeep.tenants,
  log_id              uuid not null,
  operation_type      text not null check (operation_type ~ '^[a-z][a-z-]{1,59}$'),
  -- Null where it is about many.
  key_id              bytea check (length(key_id) = 8),
  operation_success   boolean not null,
  -- The code of a refusal; never a value.
  error               text check (length(error) between 1 and 200),
  operation_timestamp timestamptz not null,
  rows                bigint not null check (rows >= 0),
  primary key (tenant_id, log_id),
  check (operation_success = (error is null))
);
create index encryption_audit_log_time on safekeep.encryption_audit_log (tenant_id, operation_timestamp);

-- Who is to be forgotten once no hold stands in the way. A row goes when their keys do.
create table safekeep.encryption_shred_queue (
  tenant_id    text not null references safekeep.tenants,
  queue_id     uuid not null,
  subject_type text not null,
  subject_key  text not null,
  fates        text[] not null check (cardinality(fates) between 1 and 2 and fates <@ array['erasable', 'kept']),
  requested_at timestamptz not null,
  -- A hold was released since it was last tried.
  due          boolean not null default false,
  primary key (tenant_id, queue_id),
  unique (tenant_id, subject_type, subject_key)
);

alter table safekeep.encryption_epochs enable row level security;
alter table safekeep.encryption_keys enable row level security;
alter table safekeep.encryption_audit_log enable row level security;
alter table safekeep.encryption_shred_queue enable row level security;
create policy tenant_isolation on safekeep.encryption_epochs
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.encryption_keys
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.encryption_audit_log
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.encryption_shred_queue
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());

do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  -- All but the wrapped keys: those are answered by id or owner, 20,000 at a time, by functions. A key is never deleted.
  grant select (tenant_id, key_id, key_purpose, scope, owner_mark, fate, algorithm, version, state, is_active, epoch, usage_count,
    last_used_at, created_at, expires_at, destroyed_at) on safekeep.encryption_keys to safekeep_app;
  grant insert on safekeep.encryption_keys to safekeep_app;
  grant update (state, epoch, wrapped, usage_count, last_used_at, expires_at, destroyed_at) on safekeep.encryption_keys to safekeep_app;
  grant select (tenant_id, key_id, key_purpose, scope, fate, algorithm, version, state, is_active, epoch, usage_count, last_used_at,
    created_at, expires_at, destroyed_at) on safekeep.encryption_keys to safekeep_auditor;
  grant select, insert on safekeep.encryption_epochs to safekeep_app;
  grant update (state, retired_at, destroyed_at) on safekeep.encryption_epochs to safekeep_app;
  grant select, insert on safekeep.encryption_audit_log to safekeep_app;
  grant select, insert, delete on safekeep.encryption_shred_queue to safekeep_app;
  grant update (due, fates) on safekeep.encryption_shred_queue to safekeep_app;
  grant select on safekeep.encryption_epochs, safekeep.encryption_audit_log to safekeep_auditor;
end
$$;
