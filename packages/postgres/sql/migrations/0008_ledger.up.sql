-- What of the ledger the database has seen. The ledger itself is a file outside the database and its backups.
--
-- A destroying transaction leaves here the number and hash of its intent. So the database knows whether an intent was carried
-- out, and a ledger whose end was cut off is found out: an entry is missing that is named here.

create table safekeep.ledger_heads (
  tenant_id    text not null references safekeep.tenants,
  ledger_id    uuid not null,
  sequence     bigint not null check (sequence > 0),
  operation_id uuid not null,
  sha256       text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  seen_at      timestamptz not null,
  primary key (tenant_id, ledger_id, sequence)
);
create index ledger_heads_operation on safekeep.ledger_heads (tenant_id, operation_id);

alter table safekeep.ledger_heads enable row level security;
create policy tenant_isolation on safekeep.ledger_heads
  using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant());

do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  -- Seen is seen: nobody may change or remove it.
  grant select, insert on safekeep.ledger_heads to safekeep_app;
  grant select on safekeep.ledger_heads to safekeep_auditor;
end
$$;
