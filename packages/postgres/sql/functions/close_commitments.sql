-- needs: 0021
-- object: function safekeep.close_commitments(bytea, text, text, text[], boolean, bytea, text[])
--
-- The commitments of an event with those closed by which somebody could test what was erased: the one to record and subject (l), and the
-- one to each blob sealed under one of the destroyed keys. Of a closed one the hash stays and the salt goes, and so does the seed, which
-- the salts of the others are written out of. Layout: docs/audit-format.md.
create or replace function safekeep.close_commitments(commitments bytea, record text, subject text, others text[], is_readable boolean,
  sealed bytea, key_ids text[]) returns bytea
  language plpgsql immutable
  set search_path = pg_catalog, pg_temp
  as $$
declare
  seed constant bytea := case when pg_catalog.octet_length(commitments) = 16 then commitments end;
  closed bytea := '';
  kinds text := '';
  kind text;
  salt bytea;
  content bytea;
  -- Where the next commitment, and the next blob, begins.
  at integer := 1;
  blob integer := 1;
  blob_bytes integer;
begin
  if seed is null then
    while at <= pg_catalog.octet_length(commitments) loop
      kind := pg_catalog.chr(pg_catalog.get_byte(commitments, at - 1));
      kinds := kinds || kind;
      at := at + case when kind in ('l', 'r', 's') then 17 else 33 end;
    end loop;
  else
    if record is not null or subject is not null then kinds := kinds || 'l'; end if;
    if is_readable then kinds := kinds || 'r'; end if;
    while at <= pg_catalog.octet_length(sealed) loop
      kinds := kinds || 's';
      at := at + 4 + pg_catalog.get_byte(sealed, at - 1) * 16777216 + pg_catalog.get_byte(sealed, at) * 65536
        + pg_catalog.get_byte(sealed, at + 1) * 256 + pg_catalog.get_byte(sealed, at + 2);
    end loop;
  end if;

  at := 1;
  for place in 0 .. pg_catalog.length(kinds) - 1 loop
    kind := pg_catalog.substr(kinds, place + 1, 1);
    if pg_catalog.lower(kind) = 's' then
      blob_bytes := pg_catalog.get_byte(sealed, blob - 1) * 16777216 + pg_catalog.get_byte(sealed, blob) * 65536
        + pg_catalog.get_byte(sealed, blob + 1) * 256 + pg_catalog.get_byte(sealed, blob + 2);
      content := pg_catalog.substr(sealed, blob + 4, blob_bytes);
      blob := blob + 4 + blob_bytes;
    end if;
    if kind in ('L', 'R', 'S') then
      closed := closed || pg_catalog.substr(commitments, at, 33);
      at := at + 33;
      continue;
    end if;
    if seed is null then
      salt := pg_catalog.substr(commitments, at + 1, 16);
      at := at + 17;
    else
      salt := pg_catalog.substr(
        pg_catalog.sha512(seed || pg_catalog.decode(pg_catalog.lpad(pg_catalog.to_hex(place / 4), 2, '0'), 'hex')), place % 4 * 16 + 1, 16);
    end if;
    if kind = 'l' then
      -- As JSON.stringify writes it: both escape what RFC 8259 asks for, and nothing else.
      content := pg_catalog.convert_to(
        '[' || coalesce(pg_catalog.to_json(record)::text, 'null') || coalesce(',' || pg_catalog.to_json(subject)::text, '')
          || coalesce((select pg_catalog.string_agg(',' || pg_catalog.to_json(o.name)::text, '' order by o.place)
                         from pg_catalog.unnest(others) with ordinality as o (name, place)), '') || ']', 'UTF8');
    end if;
    -- The id of its key stands in the header of a blob.
    if kind = 'l' or kind = 's' and pg_catalog.encode(pg_catalog.substr(content, 5, 8), 'hex') = any (key_ids) then
      closed := closed || pg_catalog.convert_to(pg_catalog.upper(kind), 'UTF8') || pg_catalog.sha256(salt || content);
    else
      closed := closed || pg_catalog.convert_to(kind, 'UTF8') || salt;
    end if;
  end loop;
  return closed;
end
$$;
revoke execute on function safekeep.close_commitments(bytea, text, text, text[], boolean, bytea, text[]) from public;
