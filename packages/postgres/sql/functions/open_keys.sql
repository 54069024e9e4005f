-- needs: 0011
-- object: function safekeep.open_keys(text, integer)
--
-- Opens the cursor safekeep_keys over a tenant's keys as they are at this moment: the living ones under one epoch, or all of them
-- where `under` is null. In the order they lie in, so that wrapping all of them anew writes each page of the table once. A row is
-- a line of an export (the capability's files/exports.ts): parts by tabs, nothing where there is none.
create or replace function safekeep.open_keys(tenant text, under integer) returns refcursor
  language plpgsql volatile security definer
  -- All of it is fetched: a plan for the first rows would go by the index, from one end of the table to the other.
  set cursor_tuple_fraction = 1.0
  set search_path = pg_catalog, pg_temp
  as $$
declare
  keys no scroll cursor for
    select pg_catalog.concat_ws(E'\t', pg_catalog.encode(k.key_id, 'hex'), k.key_purpose, coalesce(k.scope, ''),
             coalesce(pg_catalog.encode(k.owner_mark, 'hex'), ''), coalesce(k.fate, ''), k.algorithm, k.version, k.state, k.epoch,
             coalesce(pg_catalog.encode(k.wrapped, 'hex'), ''),
             pg_catalog.to_char(k.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
             coalesce(pg_catalog.to_char(k.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), ''),
             coalesce(pg_catalog.to_char(k.destroyed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '')) as line
      from safekeep.encryption_keys as k
     where k.tenant_id = tenant and (under is null or (k.epoch = under and k.wrapped is not null));
begin
  perform safekeep.refuse_keys_of_others(tenant, 0);
  keys := 'safekeep_keys';
  open keys;
  return keys;
end
$$;
revoke all on function safekeep.open_keys(text, integer) from public;
do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant execute on function safekeep.open_keys(text, integer) to safekeep_app;
end
$$;
