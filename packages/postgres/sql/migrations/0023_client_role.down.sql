do $$
begin
  if to_regrole('safekeep_client') is null then return; end if;
  revoke all on safekeep.tenants, safekeep.fields, safekeep.field_indexes from safekeep_client;
  revoke select (tenant_id, epoch, state, kek_check, created_at, destroyed_at) on safekeep.encryption_epochs from safekeep_client;
  revoke usage on schema safekeep from safekeep_client;
end
$$;
