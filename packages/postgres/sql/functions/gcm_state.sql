-- needs: 0001
-- object: function safekeep.gcm_state(bytea, bytea)
--
-- What the tags of one key and one authenticated data have in common, worked out once for a transaction, 16 bytes each:
--      1 H, the hash key
--     17 H squared
--     33 H cubed
--     49 A, the hash after the authenticated data
--     65 for a value of 1 to 32 bytes all of its tag but the part of its one or two blocks: A·H^2 + L·H, or A·H^3 + L·H
-- As secret as the key.
create or replace function safekeep.gcm_state(key bytea, bound bytea) returns bytea
  language plpgsql immutable strict parallel safe
  as $$
declare
  zero constant bytea := '\x00000000000000000000000000000000';
  h constant bigint[] := safekeep.gcm_words(safekeep.aes_blocks(zero, key), 0);
  h2 constant bigint[] := safekeep.gcm_multiply(h, h);
  h3 constant bigint[] := safekeep.gcm_multiply(h2, h);
  a bigint[] := array[0, 0, 0, 0];
  w bigint[];
  a2 bytea;
  a3 bytea;
  bits bytea[];
  tag bytea;
  state bytea;
begin
  for start in 0 .. octet_length(bound) - 1 by 16 loop
    w := safekeep.gcm_words(bound, start);
    a := safekeep.gcm_multiply(array[a[1] # w[1], a[2] # w[2], a[3] # w[3], a[4] # w[4]], h);
  end loop;
  state := safekeep.gcm_bytes(h) || safekeep.gcm_bytes(h2) || safekeep.gcm_bytes(h3) || safekeep.gcm_bytes(a);
  a2 := safekeep.gcm_bytes(safekeep.gcm_multiply(a, h2));
  a3 := safekeep.gcm_bytes(safekeep.gcm_multiply(a, h3));
  -- Of the length only its bits differ, and the products of these are added.
  w := safekeep.gcm_multiply(array[0, 0, octet_length(bound) * 8, 0]::bigint[], h);
  a2 := safekeep.gcm_xor(a2, safekeep.gcm_bytes(w));
  a3 := safekeep.gcm_xor(a3, safekeep.gcm_bytes(w));
  for bit in 0 .. 5 loop
    bits[bit] := safekeep.gcm_bytes(safekeep.gcm_multiply(array[8 << bit, 0, 0, 0]::bigint[], h));
  end loop;
  for bytes in 1 .. 32 loop
    tag := case when bytes > 16 then a3 else a2 end;
    for bit in 0 .. 5 loop
      if (bytes >> bit) & 1 = 1 then tag := safekeep.gcm_xor(tag, bits[bit]); end if;
    end loop;
    state := state || tag;
  end loop;
  return state;
end
$$;
