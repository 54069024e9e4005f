-- needs: 0010
-- object: function safekeep.make_actor_key(text)
--
-- Makes the secret by which an application proves its actors, and answers it this once, in hex. What stays here are the two
-- blocks of HMAC that follow from it (RFC 2104: key xor ipad, key xor opad). Made inside the server, so that it never stands in a
-- statement or its parameters, which servers log.
create or replace function safekeep.make_actor_key(tenant text, out key_id text, out secret text)
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
  as $$
declare
  made constant bytea := pg_catalog.sha256(pg_catalog.uuid_send(pg_catalog.gen_random_uuid())
    || pg_catalog.uuid_send(pg_catalog.gen_random_uuid()) || pg_catalog.uuid_send(pg_catalog.gen_random_uuid()));
  padded constant bytea := made || pg_catalog.decode(pg_catalog.repeat('00', 32), 'hex');
  inner_block bytea := padded;
  outer_block bytea := padded;
begin
  for at in 0..63 loop
    inner_block := pg_catalog.set_byte(inner_block, at, pg_catalog.get_byte(padded, at) # 54);
    outer_block := pg_catalog.set_byte(outer_block, at, pg_catalog.get_byte(padded, at) # 92);
  end loop;
  key_id := pg_catalog.left(pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', ''), 8);
  secret := pg_catalog.encode(made, 'hex');
  insert into safekeep.audit_actor_keys (tenant_id, key_id, inner_block, outer_block, made_at)
    values (tenant, key_id, inner_block, outer_block, pg_catalog.now());
end
$$;
revoke execute on function safekeep.make_actor_key(text) from public;
