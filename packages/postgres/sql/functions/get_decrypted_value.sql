-- needs: 0013
-- object: function safekeep.get_decrypted_value(bytea, text, text)
--
-- The plaintext of a sealed value; `fallback` where there is no value, or the key is not unlocked in this transaction. `key_id` is
-- the id of the key that the caller expects, 16 hex digits, as encryption_keys has it and the views show it; null for any.
create or replace function safekeep.get_decrypted_value(ciphertext bytea, key_id text, fallback text default null) returns text
  language plpgsql stable parallel unsafe
  set search_path = pg_catalog, pg_temp
  as $$
begin
  if ciphertext is null then return fallback; end if;
  if pg_catalog.octet_length(ciphertext) < 41 or pg_catalog.substr(ciphertext, 1, 2) <> '\xfa53'::bytea then
    raise exception 'safekeep: a value that should be sealed is not' using errcode = 'data_corrupted';
  end if;
  if key_id is not null and pg_catalog.lower(pg_catalog.ltrim(key_id, '\x')) <> pg_catalog.encode(pg_catalog.substr(ciphertext, 5, 8), 'hex') then
    raise exception 'safekeep: the value is sealed under key %, and not under the one that was named',
                    pg_catalog.encode(pg_catalog.substr(ciphertext, 5, 8), 'hex') using errcode = 'invalid_parameter_value';
  end if;
  return coalesce(safekeep.open_value(ciphertext), fallback);
end
$$;
