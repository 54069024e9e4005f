-- A role for applications that use the SDK: what it must read, and nothing that it could write. Wrapped keys of fields it gets from
-- functions (field_keys, field_keys_by_id); those of people not at all.
do $$
begin
  if to_regrole('safekeep_client') is null then return; end if;
  grant usage on schema safekeep to safekeep_client;
  grant select on safekeep.tenants, safekeep.fields, safekeep.field_indexes to safekeep_client;
  -- Which epoch is whose: the key itself lies in the home.
  grant select (tenant_id, epoch, state, kek_check, created_at, destroyed_at) on safekeep.encryption_epochs to safekeep_client;
end
$$;
