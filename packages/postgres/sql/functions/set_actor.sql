-- needs: 0001
-- object: function safekeep.set_actor(text, text, text, text)
--
-- Says who acts, why, and for which request, for the rest of this transaction and no longer. Without a valid proof the
-- actor counts as claimed. Kept in settings that are local to the transaction, so that a pooled connection carries
-- nothing over to the next caller.
create or replace function safekeep.set_actor(actor text, purpose text default null, request text default null, proof text default null)
  returns void
  language sql volatile
  set search_path = pg_catalog, pg_temp
  as $$
    select pg_catalog.set_config('safekeep.actor', coalesce(actor, ''), true),
           pg_catalog.set_config('safekeep.purpose', coalesce(purpose, ''), true),
           pg_catalog.set_config('safekeep.request', coalesce(request, ''), true),
           pg_catalog.set_config('safekeep.proof', coalesce(proof, ''), true);
  $$;
