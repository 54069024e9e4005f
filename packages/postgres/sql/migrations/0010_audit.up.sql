-- Audit: what was changed, read, refused and decided, in signed trees of their own per tenant, and able to forget a person.
--
-- Events come in through two inboxes and are moved by one sequencer, in the order of the tree, to the partitions of audit_events.
-- packages/capabilities/audit/FORMAT.md has every byte that is hashed.

-- The order in which changes happened: clocks step back, this does not.
create sequence safekeep.audit_order as bigint cache 1;

-- Two inboxes by the parity of the 10-minute slot of now(), so that one can be emptied while the other is written. Without
-- index, key and partition, since each would slow every write of the application down, and a missing partition would stop it.
create table safekeep.audit_inbox_even (
  tenant_id        text not null,
  -- Of the whole transaction, also within savepoints.
  xid              xid8 not null,
  order_no         bigint not null,
  at               timestamptz not null,
  kind             text not null,
  action           text not null,
  -- External name of the table as the map has it; null for what is about no table.
  table_name       text,
  -- Key of the row, its parts joined as safekeep.key_part writes them; null for a table without a key.
  record           text,
  -- Of each path to a person in the order of the capture, the key that its first step goes by, before and after.
  links            text[],
  old_links        text[],
  -- Values by column: what changed of an UPDATE, all of a DELETE, none of an INSERT (the row itself has them).
  old              jsonb,
  new              jsonb,
  actor            text,
  purpose          text,
  request          text,
  proof            text,
  -- What the proof is over beside these.
  backend          integer,
  began            timestamptz,
  login            text,
  application      text,
  -- The key after a change of the key itself.
  new_record       text,
  -- Values were left out, because they are just being erased.
  keys_only        boolean,
  -- Of Safekeep's own events: `{"id", "subject", "details"}`.
  own              jsonb
);
create table safekeep.audit_inbox_odd (like safekeep.audit_inbox_even including all);

-- How each mapped table is captured, as the last apply left it.
create table safekeep.audit_captures (
  tenant_id  text not null,
  table_name text not null,
  definition jsonb not null,
  primary key (tenant_id, table_name)
);

-- How far the inboxes are emptied. One row for the whole database, in the tenant '*' that is none.
create table safekeep.audit_sequencer (
  tenant_id         text not null check (tenant_id = '*'),
  -- Everything committed in this snapshot is in audit_events.
  done              pg_snapshot not null,
  -- What is being emptied now, and the order number up to which it is; null between two of them.
  target            pg_snapshot,
  cursor_no         bigint not null default 0,
  system_identifier text not null,
  timeline          integer not null,
  moved_at          timestamptz,
  primary key (tenant_id),
  check (target is not null or cursor_no = 0)
);

-- The newest era of each tenant's log. An era is a tree of its own, with an origin of its own.
create table safekeep.audit_trees (
  tenant_id     text not null,
  era           integer not null check (era > 0),
  origin        text not null,
  size          bigint not null check (size >= 0),
  root          bytea not null check (octet_length(root) = 32),
  -- Events below it were dropped by policy; the tree still covers them.
  minimum_index bigint not null default 0 check (minimum_index between 0 and size),
  opened_at     timestamptz not null,
  primary key (tenant_id, era)
);

-- Tiles of hashes (C2SP tlog-tiles): the newest width of each. Bundles of entries are made from audit_events when asked for.
create table safekeep.audit_tiles (
  tenant_id text not null,
  era       integer not null,
  level     smallint not null check (level between 0 and 63),
  tile      bigint not null check (tile >= 0),
  hashes    bytea not null check (octet_length(hashes) between 32 and 8192 and octet_length(hashes) % 32 = 0),
  primary key (tenant_id, era, level, tile),
  foreign key (tenant_id, era) references safekeep.audit_trees (tenant_id, era)
);
-- Hashes do not get smaller, and a partial tile is rewritten with every batch.
alter table safekeep.audit_tiles alter column hashes set storage external;

create table safekeep.audit_checkpoints (
  tenant_id text not null,
  era       integer not null,
  size      bigint not null check (size >= 0),
  root      bytea not null check (octet_length(root) = 32),
  -- The signed note, whole.
  note      text not null,
  signed_at timestamptz not null,
  primary key (tenant_id, era, size),
  foreign key (tenant_id, era) references safekeep.audit_trees (tenant_id, era)
);

-- Every event that is in a tree. Columns that the leaf is made of are never written again; `record`, `subject`,
-- `other_subjects`, `actor` and `salts` are emptied by an erasure, which breaks no proof.
create table safekeep.audit_events (
  tenant_id       text not null,
  sequenced_at    timestamptz not null,
  era             integer not null,
  leaf_index      bigint not null check (leaf_index >= 0),
  id              uuid not null,
  at              timestamptz not null,
  order_no        bigint not null,
  kind            text not null check (kind in ('change', 'access', 'security', 'compliance', 'retention')),
  action          text not null,
  table_name      text,
  columns         text[],
  record          text,
  subject         text,
  other_subjects  text[],
  actor           text,
  actor_pseudonym bytea check (octet_length(actor_pseudonym) = 16),
  attribution     text not null check (attribution in ('signed', 'claimed', 'none', 'system')),
  purpose         text,
  request_id      text,
  details         jsonb,
  -- 33 bytes each: what it is about (l, r, s) and the hash; salts has 16 for each, zeros for one that was destroyed.
  commitments     bytea not null check (octet_length(commitments) % 33 = 0),
  salts           bytea not null check (octet_length(salts) / 16 = octet_length(commitments) / 33 and octet_length(salts) % 16 = 0),
  sealed          bytea,
  primary key (tenant_id, era, leaf_index, sequenced_at)
) partition by range (sequenced_at);
create index audit_events_record on safekeep.audit_events (tenant_id, table_name, record, at);
create index audit_events_subject on safekeep.audit_events (tenant_id, subject, at) where subject is not null;
create index audit_events_others on safekeep.audit_events using gin (other_subjects) where other_subjects is not null;
create index audit_events_actor on safekeep.audit_events (tenant_id, actor, at) where actor is not null;
create index audit_events_time on safekeep.audit_events using brin (at, sequenced_at) with (pages_per_range = 32, autosummarize = on);

alter table safekeep.audit_events enable row level security;
create policy tenant_isolation on safekeep.audit_events
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());

-- A month's partition, named after it. Row security is enabled on it too: it may be read by its own name.
create function safekeep.make_audit_partition(month date) returns text
  language plpgsql volatile
  set search_path = ''
  set timezone = 'UTC'
  as $$
declare
  first constant date := pg_catalog.date_trunc('month', month)::date;
  name constant text := 'audit_events_' || pg_catalog.to_char(first, 'YYYY_MM');
begin
  if pg_catalog.to_regclass('safekeep.' || name) is not null then return null; end if;
  execute pg_catalog.format('create table safekeep.%I partition of safekeep.audit_events for values from (%L) to (%L)',
    name, first::timestamptz, (first + interval '1 month')::timestamptz);
  execute pg_catalog.format('alter table safekeep.%I enable row level security', name);
  execute pg_catalog.format('create policy tenant_isolation on safekeep.%I using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant())', name);
  return name;
end
$$;
revoke execute on function safekeep.make_audit_partition(date) from public;
select safekeep.make_audit_partition((pg_catalog.date_trunc('month', pg_catalog.now() at time zone 'UTC') + ahead * interval '1 month')::date)
  from pg_catalog.generate_series(0, 3) as ahead;

-- What a tenant's application proves its actors with. Read by definer functions and the owner alone.
create table safekeep.audit_actor_keys (
  tenant_id text not null,
  key_id    text not null check (key_id ~ '^[a-z0-9]{8}$'),
  -- The two blocks of HMAC (RFC 2104) that the secret makes: key xor ipad, key xor opad.
  inner_block bytea not null check (octet_length(inner_block) = 64),
  outer_block bytea not null check (octet_length(outer_block) = 64),
  made_at   timestamptz not null,
  retired_at timestamptz,
  primary key (tenant_id, key_id)
);

-- Transactions in which capture writes keys only, because the values are just being erased. Written by
-- safekeep.capture_keys_only alone; the rows of ended transactions are swept by the sequencer.
create table safekeep.audit_keys_only (
  tenant_id text not null,
  xid       xid8 not null,
  subject   text not null,
  primary key (tenant_id, xid)
);

create view safekeep.audit_data_access with (security_invoker = true) as
  select tenant_id, id, at, action, table_name, record, subject, actor, purpose, request_id, details, era, leaf_index, sequenced_at
    from safekeep.audit_events where kind = 'access';
create view safekeep.audit_security_events with (security_invoker = true) as
  select tenant_id, id, at, action, table_name, record, subject, actor, purpose, request_id, details, era, leaf_index, sequenced_at
    from safekeep.audit_events where kind = 'security';
create view safekeep.audit_compliance with (security_invoker = true) as
  select tenant_id, id, at, action, table_name, record, subject, actor, purpose, request_id, details, era, leaf_index, sequenced_at
    from safekeep.audit_events where kind = 'compliance';
create view safekeep.audit_retention with (security_invoker = true) as
  select tenant_id, id, at, action, table_name, record, subject, actor, purpose, request_id, details, era, leaf_index, sequenced_at
    from safekeep.audit_events where kind = 'retention';

-- How the log's storage is doing.
create view safekeep.audit_partition_health with (security_invoker = true) as
  select c.relname::text as name, pg_catalog.pg_get_expr(c.relpartbound, c.oid) as bounds,
         greatest(c.reltuples, 0)::bigint as rows, pg_catalog.pg_total_relation_size(c.oid) as size_bytes
    from pg_catalog.pg_inherits as i
    join pg_catalog.pg_class as c on c.oid = i.inhrelid
   where i.inhparent = 'safekeep.audit_events'::pg_catalog.regclass;
create view safekeep.audit_table_health with (security_invoker = true) as
  select s.relname::text as name, s.n_live_tup as live_rows, s.n_dead_tup as dead_rows, s.n_tup_ins as inserted, s.n_tup_upd as updated,
         s.n_tup_del as deleted, s.seq_scan as sequential_scans, s.idx_scan as index_scans, s.last_autovacuum, s.last_autoanalyze,
         pg_catalog.pg_total_relation_size(s.relid) as size_bytes
    from pg_catalog.pg_stat_all_tables as s where s.schemaname = 'safekeep' and s.relname like 'audit\_%';
create view safekeep.audit_index_health with (security_invoker = true) as
  select s.relname::text as table_name, s.indexrelname::text as name, s.idx_scan as scans, s.idx_tup_read as entries_read,
         pg_catalog.pg_relation_size(s.indexrelid) as size_bytes, i.indisvalid as valid
    from pg_catalog.pg_stat_all_indexes as s
    join pg_catalog.pg_index as i on i.indexrelid = s.indexrelid
   where s.schemaname = 'safekeep' and s.relname like 'audit\_%';

alter table safekeep.audit_inbox_even enable row level security;
alter table safekeep.audit_inbox_odd enable row level security;
alter table safekeep.audit_captures enable row level security;
alter table safekeep.audit_sequencer enable row level security;
alter table safekeep.audit_trees enable row level security;
alter table safekeep.audit_tiles enable row level security;
alter table safekeep.audit_checkpoints enable row level security;
alter table safekeep.audit_actor_keys enable row level security;
alter table safekeep.audit_keys_only enable row level security;
create policy tenant_isolation on safekeep.audit_captures
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.audit_trees
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.audit_tiles
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
create policy tenant_isolation on safekeep.audit_checkpoints
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());
-- The others have no policy: nobody but the owner of the schema sees or writes a row of them.

do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  -- Reading only, and neither inboxes nor keys. Whoever writes into the log is a definer function or the sequencer.
  grant select on safekeep.audit_events, safekeep.audit_data_access, safekeep.audit_security_events, safekeep.audit_compliance,
    safekeep.audit_retention, safekeep.audit_trees, safekeep.audit_tiles, safekeep.audit_checkpoints, safekeep.audit_captures,
    safekeep.audit_partition_health, safekeep.audit_table_health, safekeep.audit_index_health to safekeep_app, safekeep_auditor;
end
$$;
