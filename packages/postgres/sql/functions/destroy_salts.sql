-- needs: 0010
-- object: function safekeep.destroy_salts(bytea, bytea, bytea, text[])
--
-- The salts of an event with those zeroed that would let somebody test what was erased: of the commitment to record and subject (l), and
-- of each blob sealed under one of the destroyed keys. Layout: docs/audit-format.md.
create or replace function safekeep.destroy_salts(commitments bytea, salts bytea, sealed bytea, key_ids text[]) returns bytea
  language plpgsql immutable
  set search_path = ''
  as $$
declare
  zeros constant bytea := pg_catalog.decode(pg_catalog.repeat('00', 16), 'hex');
  kept bytea := salts;
  kind integer;
  at integer := 0;
  id_length integer;
  key_id text;
begin
  for place in 0 .. pg_catalog.octet_length(commitments) / 33 - 1 loop
    kind := pg_catalog.get_byte(commitments, place * 33);
    if kind = 108 then
      kept := pg_catalog.overlay(kept, zeros, place * 16 + 1, 16);
    elsif kind = 115 then
      id_length := pg_catalog.get_byte(sealed, at);
      key_id := pg_catalog.convert_from(pg_catalog.substr(sealed, at + 2, id_length), 'UTF8');
      at := at + 1 + id_length;
      at := at + 4 + pg_catalog.get_byte(sealed, at) * 16777216 + pg_catalog.get_byte(sealed, at + 1) * 65536
        + pg_catalog.get_byte(sealed, at + 2) * 256 + pg_catalog.get_byte(sealed, at + 3);
      if key_id = any (key_ids) then kept := pg_catalog.overlay(kept, zeros, place * 16 + 1, 16); end if;
    end if;
  end loop;
  return kept;
end
$$;
revoke execute on function safekeep.destroy_salts(bytea, bytea, bytea, text[]) from public;
