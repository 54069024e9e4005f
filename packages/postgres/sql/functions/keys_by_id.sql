-- needs: 0011
-- object: function safekeep.keys_by_id(text, bytea[])
--
-- These keys, wrapped keys included.
create or replace function safekeep.keys_by_id(tenant text, ids bytea[])
  returns table (key_id bytea, key_purpose text, scope text, owner_mark bytea, fate text, version integer, state text, epoch integer, wrapped bytea, usage_count bigint)
  language plpgsql stable security definer
  -- The plan is kept: one made while the table was small must not read all of it for every key when it is large.
  set enable_seqscan = off
  set search_path = pg_catalog, pg_temp
  as $$
begin
  perform safekeep.refuse_keys_of_others(tenant, pg_catalog.cardinality(ids));
  return query
    select found.key_id, found.key_purpose, found.scope, found.owner_mark, found.fate, found.version, found.state, found.epoch, found.wrapped, found.usage_count
      from pg_catalog.unnest(ids) as asked (id)
     cross join lateral (select k.* from safekeep.encryption_keys as k where k.tenant_id = tenant and k.key_id = asked.id offset 0) as found;
end
$$;
revoke all on function safekeep.keys_by_id(text, bytea[]) from public;
do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant execute on function safekeep.keys_by_id(text, bytea[]) to safekeep_app;
end
$$;
