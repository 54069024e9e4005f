-- needs: 0001
-- object: function safekeep.open_value(bytea)
--
-- The plaintext of a sealed value of whatever field its key belongs to; null while that is not unlocked. Raises where the key is and it
-- does not open. Where it is known which column a value stands in, safekeep.open_column holds it to that.
create or replace function safekeep.open_value(sealed bytea) returns text
  language sql stable parallel unsafe
  as $$ select safekeep.open_column(sealed, null) $$;
