-- needs: 0010
-- object: function safekeep.require_actor()
--
-- BEFORE each statement that changes a table of which the map says `audit.actor: require`: without an actor and the proof of the
-- application for it nothing is changed. Argument: the tenant. An erasure, which only the owner can begin, is let through: what was
-- approved is in its certificate.
create or replace function safekeep.require_actor() returns trigger
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
  as $$
declare
  actor constant text := nullif(pg_catalog.current_setting('safekeep.actor', true), '');
begin
  if pg_catalog.current_setting('safekeep.keys_only', true) = 'on' and safekeep.is_keys_only() then return null; end if;
  if actor is not null and safekeep.is_actor_proof(tg_argv[0], actor, pg_catalog.current_setting('safekeep.purpose', true),
       pg_catalog.current_setting('safekeep.request', true), pg_catalog.current_setting('safekeep.proof', true),
       pg_catalog.pg_backend_pid(), pg_catalog.now()) then
    return null;
  end if;
  raise exception 'Nothing was changed: %.% takes changes of a proven actor only.', tg_table_schema, tg_table_name
    using errcode = 'insufficient_privilege', hint = 'Call safekeep.set_actor with a proof of this transaction before the change.';
end
$$;
revoke execute on function safekeep.require_actor() from public;
