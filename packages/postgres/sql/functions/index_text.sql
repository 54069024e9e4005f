-- needs: 0001
-- object: function safekeep.index_text(text, uuid, text, integer, integer, text)
--
-- The blind index of a canonical form as its column prints it: an int8, or for `unique` the whole hash as bytea in hex; -1 where a
-- value has no form to be found by. Null without an unlocked key. Of a card number what may be shown, which takes no key.
create or replace function safekeep.index_text(tenant text, field uuid, kind text, bits integer, version integer, form text) returns text
  language plpgsql stable parallel unsafe
  set search_path = pg_catalog, pg_temp
  as $$
begin
  return case when kind in ('card_bin', 'card_last4') then coalesce(form, '')
              when form is null then '-1'
              when kind = 'unique' then '\x' || encode(safekeep.index_digest(tenant, field, kind, version, form), 'hex')
              else safekeep.index_value(tenant, field, kind, bits, version, form)::text end;
end
$$;
