-- needs: 0001
-- object: function safekeep.sk1_open(bytea, bytea, bytea, integer)
--
-- The content of a sealed value; null when its tag is not right. The tags are compared whole, so that the time says nothing.
create or replace function safekeep.sk1_open(key bytea, state bytea, sealed bytea, bound_bytes integer) returns bytea
  language plpgsql immutable strict parallel safe
  as $$
declare
  bytes constant integer := octet_length(sealed) - 40;
  stream constant bytea := safekeep.gcm_keystream(key, substr(sealed, 13, 12), bytes);
  body constant bytea := substr(sealed, 25, bytes);
begin
  -- All bits are counted: where they differ the time does not say.
  if bit_count(('x' || encode(safekeep.gcm_tag(state, body, bound_bytes, stream), 'hex'))::varbit # ('x' || encode(substr(sealed, 25 + bytes), 'hex'))::varbit) <> 0 then
    return null;
  end if;
  return safekeep.gcm_xor(body, substr(stream, 17, bytes));
end
$$;
