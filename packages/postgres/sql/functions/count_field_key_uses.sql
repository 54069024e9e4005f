-- needs: 0023
-- object: function safekeep.count_field_key_uses(text, uuid, bytea[], bigint[])
--
-- Adds up how often a client has sealed with keys of fields, and writes a line of it: random IVs bear only so many uses of one key. The
-- one thing that a client leaves in this schema. It can count too many, which makes a rotation come early; it can take nothing off.
-- One call counts 2^24 uses of a key at most, and who has more calls again: no single call spends a key (2^31), which would stop sealing
-- for everybody, and none makes the number too large to count on.
create or replace function safekeep.count_field_key_uses(tenant text, log_id uuid, ids bytea[], uses bigint[]) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  as $$
begin
  perform safekeep.refuse_keys_of_others(tenant, pg_catalog.cardinality(ids));
  update safekeep.encryption_keys as k
     set usage_count = k.usage_count + least(n.times, 9223372036854775807 - k.usage_count), last_used_at = pg_catalog.statement_timestamp()
    from (select u.id, least(sum(u.times), 16777216)::bigint as times from unnest(ids, uses) as u (id, times) where u.times > 0 group by u.id) as n
   where k.tenant_id = tenant and k.key_id = n.id and k.key_purpose = 'data' and safekeep.is_field_scope(tenant, 'data', k.scope);
  if found then
    insert into safekeep.encryption_audit_log (tenant_id, log_id, operation_type, key_id, operation_success, operation_timestamp, rows)
    values (tenant, log_id, 'use', case when pg_catalog.cardinality(ids) = 1 then ids[1] end, true, pg_catalog.statement_timestamp(), (select least(sum(u), 9223372036854775807) from pg_catalog.unnest(uses) as u where u > 0));
  end if;
end
$$;
revoke all on function safekeep.count_field_key_uses(text, uuid, bytea[], bigint[]) from public;
do $$
begin
  if to_regrole('safekeep_client') is null then return; end if;
  grant execute on function safekeep.count_field_key_uses(text, uuid, bytea[], bigint[]) to safekeep_client;
end
$$;
