-- needs: 0023
-- object: function safekeep.field_keys_by_id(text, bytea[])
--
-- As field_keys, by the ids in the headers of values: those that seal values of encrypted fields of the tenant, and no others.
create or replace function safekeep.field_keys_by_id(tenant text, ids bytea[])
  returns table (key_id bytea, key_purpose text, scope text, owner_mark bytea, fate text, version integer, state text, epoch integer, wrapped bytea, usage_count bigint)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  as $$
begin
  return query
    select found.* from safekeep.keys_by_id(tenant, ids) as found
     where found.key_purpose = 'data' and safekeep.is_field_scope(tenant, 'data', found.scope);
end
$$;
revoke all on function safekeep.field_keys_by_id(text, bytea[]) from public;
do $$
begin
  if to_regrole('safekeep_app') is not null then grant execute on function safekeep.field_keys_by_id(text, bytea[]) to safekeep_app; end if;
  if to_regrole('safekeep_client') is not null then grant execute on function safekeep.field_keys_by_id(text, bytea[]) to safekeep_client; end if;
end
$$;
