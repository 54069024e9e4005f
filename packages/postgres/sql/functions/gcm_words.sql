-- needs: 0001
-- object: function safekeep.gcm_words(bytea, integer)
--
-- Sixteen bytes from `start` (counted from 0) as safekeep.gcm_multiply takes them; what is beyond the end counts as zero.
create or replace function safekeep.gcm_words(bytes bytea, start integer) returns bigint[]
  language plpgsql immutable strict parallel safe
  as $$
declare
  b constant bytea := substr(bytes, start + 1, 16) || '\x00000000000000000000000000000000'::bytea;
begin
  return array[
    (get_byte(b, 12)::bigint << 24) | (get_byte(b, 13) << 16) | (get_byte(b, 14) << 8) | get_byte(b, 15),
    (get_byte(b, 8)::bigint << 24) | (get_byte(b, 9) << 16) | (get_byte(b, 10) << 8) | get_byte(b, 11),
    (get_byte(b, 4)::bigint << 24) | (get_byte(b, 5) << 16) | (get_byte(b, 6) << 8) | get_byte(b, 7),
    (get_byte(b, 0)::bigint << 24) | (get_byte(b, 1) << 16) | (get_byte(b, 2) << 8) | get_byte(b, 3)];
end
$$;
