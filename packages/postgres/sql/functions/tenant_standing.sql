-- needs: 0012
-- object: function safekeep.tenant_standing(text)
--
-- Whether this tenant is known, and whether tables whose rows all belong to one tenant (`tenant: fixed` in the map) are its own: they are
-- of the tenant that was here first, by what it applied, recorded, held or erased, and of no other ever after. Row security shows nobody
-- the traces of another tenant, and this tells no more of them than that there are some.
create or replace function safekeep.tenant_standing(tenant text) returns text
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  as $$
declare
  first text;
begin
  if safekeep.current_tenant() is distinct from tenant then
    raise exception 'Of another tenant nothing is told.' using errcode = 'insufficient_privilege';
  end if;
  if not exists (select from safekeep.tenants as t where t.tenant_id = tenant) then return 'unknown'; end if;
  select trace.tenant_id into first
    from ((select r.tenant_id, r.started_at as at from safekeep.apply_runs as r order by r.started_at limit 1)
          union all (select v.tenant_id, v.recorded_at from safekeep.datamap_versions as v order by v.recorded_at limit 1)
          union all (select h.tenant_id, h.placed_at from safekeep.holds as h order by h.placed_at limit 1)
          union all (select e.tenant_id, e.started_at from safekeep.erasures as e order by e.started_at limit 1)) as trace
   order by trace.at, trace.tenant_id limit 1;
  return case when first is null then 'first' when first = tenant then 'own' else 'other' end;
end
$$;
revoke execute on function safekeep.tenant_standing(text) from public;
do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant execute on function safekeep.tenant_standing(text) to safekeep_app;
end
$$;
