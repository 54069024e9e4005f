-- needs: 0001
-- object: function safekeep.open_column(bytea, uuid)
--
-- The plaintext of a sealed value of this field; null while its key is not unlocked. Raises where the key is and it does not open, and
-- where it belongs to another field: somebody cut it out of one column and pasted it into another. Without a field any will do.
create or replace function safekeep.open_column(sealed bytea, field uuid) returns text
  language plpgsql stable parallel unsafe
  set search_path = pg_catalog, pg_temp
  as $$
declare
  setting text;
  held bytea;
  content bytea;
begin
  if sealed is null then return null; end if;
  if octet_length(sealed) < 41 or substr(sealed, 1, 2) <> '\xfa53'::bytea then
    raise exception 'safekeep: a value that should be sealed is not' using errcode = 'data_corrupted';
  end if;
  setting := current_setting('safekeep.key_' || encode(substr(sealed, 5, 8), 'hex'), true);
  if coalesce(setting, '') = '' then return null; end if;
  held := decode(setting, 'hex');
  if substr(sealed, 3, 2) <> '\x1100'::bytea then
    raise exception 'safekeep: a sealed value is of a version or bound in a way that SQL does not know' using errcode = 'feature_not_supported',
      hint = 'Open it through the SDK.';
  end if;
  if field is null or substr(held, 37, 16) = uuid_send(field) then
    content := safekeep.sk1_open(substr(held, 1, 32), substr(held, 53), sealed, (get_byte(held, 33) << 16) | (get_byte(held, 34) << 8) | get_byte(held, 35));
  end if;
  if content is null then
    raise exception 'safekeep: a sealed value was changed, or moved here from another column or tenant' using errcode = 'data_corrupted',
      hint = 'Take it from a backup, and look in the audit log for who wrote it.';
  end if;
  return safekeep.sk1_plain(content);
end
$$;
