-- needs: 0001
-- object: function safekeep.sk1_open(bytea, text, bytea, integer)
--
-- The content of a sealed value; null when its tag is not right. The tags are compared whole, so that the time says nothing.
create or replace function safekeep.sk1_open(key bytea, state text, sealed bytea, bound_bytes integer) returns bytea
  language plpgsql immutable strict parallel safe
  as $$
declare
  bytes constant integer := octet_length(sealed) - 40;
  stream constant bytea := safekeep.gcm_keystream(key, substr(sealed, 13, 12), bytes);
  body constant bytea := substr(sealed, 25, bytes);
  difference constant bigint[] := safekeep.gcm_words(safekeep.gcm_xor(safekeep.gcm_tag(state, body, bound_bytes, stream), substr(sealed, 25 + bytes)), 0);
begin
  if (difference[1] | difference[2] | difference[3] | difference[4]) <> 0 then return null; end if;
  return safekeep.gcm_xor(body, substr(stream, 17, bytes));
end
$$;
