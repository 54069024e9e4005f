-- needs: 0001
-- object: function safekeep.gcm_xor(bytea, bytea)
--
-- Two strings of equal length, bit by bit. PostgreSQL has this for bit strings only; their binary form is a length of four bytes
-- and the bits.
create or replace function safekeep.gcm_xor(a bytea, b bytea) returns bytea
  language sql immutable strict parallel safe
  as $$ select substr(varbit_send(('x' || encode(a, 'hex'))::varbit # ('x' || encode(b, 'hex'))::varbit), 5) $$;
