-- needs: 0001
-- object: function safekeep.index_value(text, uuid, text, integer, integer, text)
--
-- The blind index of a canonical form, as IndexKey of packages/crypto makes it; null without an unlocked key.
create or replace function safekeep.index_value(tenant text, field uuid, kind text, bits integer, version integer, form text) returns bigint
  language plpgsql stable strict parallel unsafe
  set search_path = pg_catalog, pg_temp
  as $$
declare
  digest constant bytea := safekeep.index_digest(tenant, field, kind, version, form);
begin
  return (('x' || encode(substr(digest, 1, 8), 'hex'))::bit(64) >> (64 - bits))::bigint;
end
$$;
