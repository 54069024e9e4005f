-- needs: 0001
-- object: function safekeep.sk1_seal(bytea, bytea, bytea, bytea, bytea, integer)
--
-- Header, IV, AES-256-GCM of `content`, tag. `state` is of safekeep.gcm_state for this key and what the value is bound to,
-- `bound_bytes` long. An IV is used once in the life of a key: safekeep.seal_value draws it.
create or replace function safekeep.sk1_seal(key bytea, state bytea, header bytea, content bytea, iv bytea, bound_bytes integer) returns bytea
  language plpgsql immutable strict parallel safe
  as $$
declare
  stream constant bytea := safekeep.gcm_keystream(key, iv, octet_length(content));
  body constant bytea := safekeep.gcm_xor(content, substr(stream, 17, octet_length(content)));
begin
  return header || iv || body || safekeep.gcm_tag(state, body, bound_bytes, stream);
end
$$;
