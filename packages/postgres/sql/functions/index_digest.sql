-- needs: 0001
-- object: function safekeep.index_digest(text, uuid, text, integer, text)
--
-- The whole keyed hash of a canonical form, as IndexKey of packages/crypto makes it; null without an unlocked key. What an index
-- keeps of it says safekeep.index_value; `unique` keeps all.
create or replace function safekeep.index_digest(tenant text, field uuid, kind text, version integer, form text) returns bytea
  language plpgsql stable strict parallel unsafe
  set search_path = pg_catalog, pg_temp
  as $$
declare
  held constant text := current_setting('safekeep.index_' || replace(field::text, '-', '') || '_' || version, true);
begin
  if coalesce(held, '') = '' or substr(held, 65) <> tenant then return null; end if;
  return safekeep.hmac_sha256(convert_to(field::text || ' ' || kind || ' ' || version, 'UTF8') || '\x00'::bytea || convert_to(form, 'UTF8'),
                              decode(substr(held, 1, 64), 'hex'));
end
$$;
