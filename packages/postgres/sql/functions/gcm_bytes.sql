-- needs: 0001
-- object: function safekeep.gcm_bytes(bigint[])
--
-- The way back from safekeep.gcm_words.
create or replace function safekeep.gcm_bytes(words bigint[]) returns bytea
  language sql immutable strict parallel safe
  as $$ select int8send((words[4] << 32) | words[3]) || int8send((words[2] << 32) | words[1]) $$;
