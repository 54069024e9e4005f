-- needs: 0001
-- object: function safekeep.open_value(bytea)
--
-- The plaintext of a sealed value; null while its key is not unlocked. Raises where the key is and it does not open.
create or replace function safekeep.open_value(sealed bytea) returns text
  language plpgsql stable strict parallel unsafe
  set search_path = ''
  as $$
declare
  held text;
  content bytea;
begin
  if octet_length(sealed) < 41 or substr(sealed, 1, 2) <> '\xfa53'::bytea then
    raise exception 'safekeep: a value that should be sealed is not' using errcode = 'data_corrupted';
  end if;
  held := current_setting('safekeep.key_' || encode(substr(sealed, 5, 8), 'hex'), true);
  if coalesce(held, '') = '' then return null; end if;
  if substr(sealed, 3, 2) <> '\x1100'::bytea then
    raise exception 'safekeep: a sealed value is of a version or bound in a way that SQL does not know' using errcode = 'feature_not_supported',
      hint = 'Open it through the SDK.';
  end if;
  content := safekeep.sk1_open(decode(substr(held, 1, 64), 'hex'), substr(held, 73), sealed,
    substr(held, 65, 8)::integer);
  if content is null then
    raise exception 'safekeep: a sealed value was changed, or moved here from another column or tenant' using errcode = 'data_corrupted',
      hint = 'Take it from a backup, and look in the audit log for who wrote it.';
  end if;
  return safekeep.sk1_plain(content);
end
$$;
