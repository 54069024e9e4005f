-- needs: 0001
-- object: function safekeep.index_value(text, uuid, text, integer, integer, text)
--
-- The blind index of a canonical form, as IndexKey of packages/crypto makes it; null without an unlocked key.
create or replace function safekeep.index_value(tenant text, field uuid, kind text, bits integer, version integer, form text) returns bigint
  language plpgsql stable strict parallel unsafe
  set search_path = ''
  as $$
declare
  held constant text := current_setting('safekeep.index_' || replace(field::text, '-', ''), true);
begin
  if coalesce(held, '') = '' or substr(held, 65) <> tenant then return null; end if;
  return (('x' || encode(substr(safekeep.hmac_sha256(convert_to(field::text || ' ' || kind || ' ' || version, 'UTF8') || '\x00'::bytea || convert_to(form, 'UTF8'),
                                                     decode(substr(held, 1, 64), 'hex')), 1, 8), 'hex'))::bit(64) >> (64 - bits))::bigint;
end
$$;
