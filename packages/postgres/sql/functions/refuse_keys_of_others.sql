-- needs: 0011
-- object: function safekeep.refuse_keys_of_others(text, integer)
--
-- What every function that answers wrapped keys asks first: those of the tenant of the transaction, and not too many at once;
-- where none is set, for those who may take on the owner of the schema anyway. Called by functions of that owner only.
create or replace function safekeep.refuse_keys_of_others(tenant text, asked integer) returns void
  language plpgsql stable
  set search_path = pg_catalog, pg_temp
  as $$
begin
  if asked > 20000 then
    raise exception 'At most 20000 keys are answered at once.' using errcode = 'program_limit_exceeded';
  end if;
  if safekeep.current_tenant() <> tenant
    or (safekeep.current_tenant() is null and not pg_catalog.pg_has_role(session_user, current_user, 'member')) then
    raise exception 'The keys of another tenant are not answered.' using errcode = 'insufficient_privilege';
  end if;
end
$$;
revoke all on function safekeep.refuse_keys_of_others(text, integer) from public;
