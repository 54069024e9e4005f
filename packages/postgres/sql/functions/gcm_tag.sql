-- needs: 0001
-- object: function safekeep.gcm_tag(text, bytea, integer, bytea)
--
-- The tag of `body` (its ciphertext) under a state of safekeep.gcm_prepare: `bound_bytes` is the length of the authenticated data,
-- `mask` begins with the encrypted first counter block.
create or replace function safekeep.gcm_tag(state text, body bytea, bound_bytes integer, mask bytea) returns bytea
  language plpgsql immutable strict parallel safe
  as $$
declare
  length constant integer := octet_length(body);
  h bigint[];
  y bigint[];
  w bigint[];
begin
  if length between 1 and 16 then
    y := safekeep.gcm_multiply(safekeep.gcm_words(body, 0), safekeep.gcm_words(decode(substr(state, 33, 32), 'hex'), 0));
    return safekeep.gcm_xor(safekeep.gcm_xor(safekeep.gcm_bytes(y), substr(mask, 1, 16)), decode(substr(state, 65 + 32 * length, 32), 'hex'));
  end if;
  h := safekeep.gcm_words(decode(substr(state, 1, 32), 'hex'), 0);
  y := safekeep.gcm_words(decode(substr(state, 65, 32), 'hex'), 0);
  for start in 0 .. length - 1 by 16 loop
    w := safekeep.gcm_words(body, start);
    y := safekeep.gcm_multiply(array[y[1] # w[1], y[2] # w[2], y[3] # w[3], y[4] # w[4]], h);
  end loop;
  w := array[(length::bigint * 8) & 4294967295, (length::bigint * 8) >> 32, bound_bytes::bigint * 8];
  y := safekeep.gcm_multiply(array[y[1] # w[1], y[2] # w[2], y[3] # w[3], y[4]], h);
  return safekeep.gcm_xor(safekeep.gcm_bytes(y), substr(mask, 1, 16));
end
$$;
