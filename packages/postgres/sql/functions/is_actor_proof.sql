-- needs: 0010
-- object: function safekeep.is_actor_proof(text, text, text, text, text, integer, timestamptz)
--
-- Whether `proof` (`<key id>.<HMAC-SHA256 in base64>`) is the tenant's application's over these arguments, the backend that the
-- transaction runs on, and its now(): so it holds in that transaction and in no other on the same pooled connection.
-- Nobody but the owner may call it: it would tell which guess is right.
create or replace function safekeep.is_actor_proof(
    tenant text, actor text, purpose text, request text, proof text, backend integer, began timestamptz)
  returns boolean
  language plpgsql stable
  set search_path = pg_catalog, pg_temp
  as $$
declare
  known record;
begin
  select k.inner_block, k.outer_block into known from safekeep.audit_actor_keys as k
   where k.tenant_id = tenant and k.key_id = pg_catalog.split_part(proof, '.', 1) and k.retired_at is null;
  if not found then return false; end if;
  return pg_catalog.encode(pg_catalog.sha256(known.outer_block || pg_catalog.sha256(known.inner_block
    || safekeep.actor_message(actor, purpose, request, backend, began))), 'base64')
    = pg_catalog.split_part(proof, '.', 2);
end
$$;
revoke execute on function safekeep.is_actor_proof(text, text, text, text, text, integer, timestamptz) from public;
