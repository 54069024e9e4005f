-- needs: 0023
-- object: function safekeep.field_keys(text, text, text)
--
-- The keys of an encrypted field of the tenant, newest first, wrapped keys included: what a client of the SDK seals, opens and searches
-- with. No other key is answered, of a person least of all.
create or replace function safekeep.field_keys(tenant text, purpose text, asked text)
  returns table (key_id bytea, key_purpose text, scope text, owner_mark bytea, fate text, version integer, state text, epoch integer, wrapped bytea, usage_count bigint)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  as $$
begin
  perform safekeep.refuse_keys_of_others(tenant, 1);
  if purpose not in ('data', 'index') or not safekeep.is_field_scope(tenant, purpose, asked) then return; end if;
  return query
    select k.key_id, k.key_purpose, k.scope, k.owner_mark, k.fate, k.version, k.state, k.epoch, k.wrapped, k.usage_count
      from safekeep.encryption_keys as k
     where k.tenant_id = tenant and k.key_purpose = purpose and k.scope = asked order by k.version desc;
end
$$;
revoke all on function safekeep.field_keys(text, text, text) from public;
do $$
begin
  if to_regrole('safekeep_app') is not null then grant execute on function safekeep.field_keys(text, text, text) to safekeep_app; end if;
  if to_regrole('safekeep_client') is not null then grant execute on function safekeep.field_keys(text, text, text) to safekeep_client; end if;
end
$$;
