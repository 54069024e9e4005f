-- needs: 0011
-- object: function safekeep.keys_of_owners(text, bytea[])
--
-- The newest keys of these owners, wrapped keys included; one that was destroyed hides the others of its owner.
create or replace function safekeep.keys_of_owners(tenant text, marks bytea[])
  returns table (owner_mark bytea, key_id bytea, fate text, version integer, state text, epoch integer, wrapped bytea, usage_count bigint)
  language plpgsql stable security definer
  -- The plan is kept: one made while the table was small must not read all of it for every key when it is large.
  set enable_seqscan = off
  set search_path = pg_catalog, pg_temp
  as $$
begin
  perform safekeep.refuse_keys_of_others(tenant, pg_catalog.cardinality(marks));
  return query
    select found.owner_mark, found.key_id, found.fate, found.version, found.state, found.epoch, found.wrapped, found.usage_count
      from pg_catalog.unnest(marks) as asked (mark)
     cross join lateral (
       select k.* from safekeep.encryption_keys as k
        where k.tenant_id = tenant and k.owner_mark = asked.mark
        order by k.state = 'shredded' desc, k.version desc limit 1
     ) as found;
end
$$;
revoke all on function safekeep.keys_of_owners(text, bytea[]) from public;
do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant execute on function safekeep.keys_of_owners(text, bytea[]) to safekeep_app;
end
$$;
