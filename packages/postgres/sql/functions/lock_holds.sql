-- needs: 0007
-- object: function safekeep.lock_holds(text, boolean)
--
-- Keeps placing a hold and destroying apart, until the end of the transaction. Whoever destroys asks with to_place = false: any
-- number of them at a time. Whoever places a hold waits until they are done, and they wait for him; a statement that begins
-- after this call then sees what the other did.
--
-- That holds for READ COMMITTED, where every statement looks anew. Under a stricter isolation the transaction would go on
-- looking at the past: there the tenant's row is locked too, which fails (40001, try again) if a hold was placed since.
create or replace function safekeep.lock_holds(tenant text, to_place boolean) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  as $$
declare
  holds_lock constant bigint := pg_catalog.hashtextextended('safekeep holds ' || tenant, 0);
begin
  if safekeep.current_tenant() <> tenant then
    raise exception 'The holds of another tenant are not to be locked.' using errcode = 'insufficient_privilege';
  end if;
  if to_place then
    perform pg_catalog.pg_advisory_xact_lock(holds_lock);
    update safekeep.tenants set name = name where tenant_id = tenant;
    return;
  end if;
  -- Nothing is destroyed by a transaction that only reads; planning is such a one.
  if pg_catalog.current_setting('transaction_read_only') = 'on' then return; end if;
  perform pg_catalog.pg_advisory_xact_lock_shared(holds_lock);
  if pg_catalog.current_setting('transaction_isolation') <> 'read committed' then
    perform from safekeep.tenants where tenant_id = tenant for share;
  end if;
end
$$;
revoke execute on function safekeep.lock_holds(text, boolean) from public;
do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant execute on function safekeep.lock_holds(text, boolean) to safekeep_app;
end
$$;
