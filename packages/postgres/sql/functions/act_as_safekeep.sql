-- needs: 0010
-- object: function safekeep.act_as_safekeep(text, text)
--
-- Says that Safekeep itself acts for the rest of this transaction, with a proof where the tenant has a key of actors: so its own
-- changes of audited tables are told apart in the log, and tables that take changes of a proven actor only take them.
--
-- Runs with the rights of the caller: the proof is made from what only the owner can read. Anybody else's actor counts as claimed.
create or replace function safekeep.act_as_safekeep(tenant text, actor text) returns void
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
  as $$
declare
  known record;
  proof text;
begin
  if pg_catalog.has_table_privilege('safekeep.audit_actor_keys', 'select') then
    select k.key_id, k.inner_block, k.outer_block into known from safekeep.audit_actor_keys as k
     where k.tenant_id = tenant and k.retired_at is null order by k.made_at desc limit 1;
    if found then
      proof := known.key_id || '.' || pg_catalog.encode(pg_catalog.sha256(known.outer_block || pg_catalog.sha256(known.inner_block
        || safekeep.actor_message(actor, null, null, pg_catalog.pg_backend_pid(), pg_catalog.now()))), 'base64');
    end if;
  end if;
  perform safekeep.set_actor(actor, null, null, proof);
end
$$;
