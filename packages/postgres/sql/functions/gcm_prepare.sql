-- needs: 0001
-- object: function safekeep.gcm_prepare(bytea, bytea)
--
-- What the tags of one key and one authenticated data have in common, worked out once for a transaction, in hex of fixed places:
--      1 H, the hash key
--     33 H squared
--     65 the hash after the authenticated data
--     97 for a value of 1 to 16 bytes all of its tag but the part of its one block: A·H^2 + L·H, 32 digits each
-- As secret as the key.
create or replace function safekeep.gcm_prepare(key bytea, bound bytea) returns text
  language plpgsql immutable strict parallel safe
  as $$
declare
  zero constant bytea := '\x00000000000000000000000000000000';
  h constant bigint[] := safekeep.gcm_words(safekeep.aes_blocks(zero, key), 0);
  h2 constant bigint[] := safekeep.gcm_multiply(h, h);
  a bigint[] := array[0, 0, 0, 0];
  w bigint[];
  ah2 bytea;
  state text;
begin
  for start in 0 .. octet_length(bound) - 1 by 16 loop
    w := safekeep.gcm_words(bound, start);
    a := safekeep.gcm_multiply(array[a[1] # w[1], a[2] # w[2], a[3] # w[3], a[4] # w[4]], h);
  end loop;
  ah2 := safekeep.gcm_bytes(safekeep.gcm_multiply(a, h2));
  state := encode(safekeep.gcm_bytes(h) || safekeep.gcm_bytes(h2) || safekeep.gcm_bytes(a), 'hex');
  for bytes in 1 .. 16 loop
    w := safekeep.gcm_multiply(array[bytes * 8, 0, octet_length(bound) * 8, 0]::bigint[], h);
    state := state || encode(safekeep.gcm_xor(ah2, safekeep.gcm_bytes(w)), 'hex');
  end loop;
  return state;
end
$$;
