-- needs: 0001
-- object: function safekeep.gcm_keystream(bytea, bytea, integer)
--
-- In one call of the cipher: the mask of the tag (its first 16 bytes) and the keystream for so many bytes or more (what follows).
create or replace function safekeep.gcm_keystream(key bytea, iv bytea, bytes integer) returns bytea
  language plpgsql immutable strict parallel safe
  as $$
begin
  if bytes <= 32 then
    return safekeep.aes_blocks(iv || '\x00000001'::bytea || iv || '\x00000002'::bytea || iv || '\x00000003'::bytea, key);
  end if;
  if bytes <= 80 then
    return safekeep.aes_blocks(
      iv || '\x00000001'::bytea || iv || '\x00000002'::bytea || iv || '\x00000003'::bytea || iv || '\x00000004'::bytea
      || iv || '\x00000005'::bytea || iv || '\x00000006'::bytea, key);
  end if;
  return safekeep.aes_blocks(
    (select string_agg(iv || int4send(counter), ''::bytea order by counter) from generate_series(1, (bytes + 15) / 16 + 1) as counter), key);
end
$$;
