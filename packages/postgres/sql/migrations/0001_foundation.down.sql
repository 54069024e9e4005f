drop table safekeep.tenants;
drop function safekeep.current_tenant();
do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  revoke all on schema safekeep from safekeep_app, safekeep_auditor, safekeep_ingest, safekeep_subject;
end
$$;
