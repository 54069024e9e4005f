-- needs: 0013
-- object: function safekeep.write_decrypted()
--
-- INSTEAD OF INSERT, UPDATE or DELETE on a view TABLE_decrypted. Arguments: schema and name of the table, and a jsonb array of
-- its encrypted columns: {column, encrypted}. Plaintext goes to the table as it is written and its trigger seals it, or
-- refuses where the session has no key; only columns that the statement changed are written, so that what a session without
-- a key sees as NULL is not written back. RETURNING shows the row as it stands, with the plaintext that was given.
-- Runs with the rights of whoever writes.
create or replace function safekeep.write_decrypted() returns trigger
  language plpgsql
  set search_path = ''
  as $$
  declare
    relation constant regclass := pg_catalog.format('%I.%I', tg_argv[0], tg_argv[1])::pg_catalog.regclass;
    sealed constant jsonb := tg_argv[2]::jsonb;
    changed text[] := '{}';
    given text[] := '{}';
    shown text[];
    key_matches text;
    is_changed boolean;
    is_null boolean;
    attribute record;
    written integer;
  begin
    -- Columns of the view in their order: the table's own, then the ids of keys, which are computed.
    select pg_catalog.array_agg(
             case when s.item is not null then pg_catalog.format('($1).%I', a.attname)
                  when b.attname is not null then pg_catalog.format('t.%I', a.attname)
                  else pg_catalog.format('pg_catalog.encode(pg_catalog.substr(t.%I, 5, 8), %L)', k.encrypted, 'hex') end
             order by a.attnum)
      into shown
      from pg_catalog.pg_attribute a
      left join pg_catalog.pg_attribute b on b.attrelid = relation and b.attname = a.attname and b.attnum > 0 and not b.attisdropped
      left join lateral (select item from pg_catalog.jsonb_array_elements(sealed) as item where item ->> 'column' = a.attname::text) s on true
      left join lateral (select item ->> 'encrypted' as encrypted from pg_catalog.jsonb_array_elements(sealed) with ordinality as e (item, place)
                          where a.attname::text = case when place = 1 then 'encryption_key_id' else (item ->> 'column') || '_encryption_key_id' end) k
             on b.attname is null
     where a.attrelid = tg_relid and a.attnum > 0 and not a.attisdropped;

    if tg_op in ('UPDATE', 'DELETE') then
      select pg_catalog.string_agg(pg_catalog.format('t.%I operator(pg_catalog.=) ($2).%I', a.attname, a.attname), ' and ')
        into key_matches
        from pg_catalog.pg_index i, pg_catalog.unnest(i.indkey::smallint[]) as n (number)
        join pg_catalog.pg_attribute a on a.attrelid = relation and a.attnum = n.number
       where i.indrelid = relation and i.indisprimary;
      if key_matches is null then
        raise exception 'safekeep: % has no primary key, so a row of its view cannot be found in it', relation
          using errcode = 'object_not_in_prerequisite_state';
      end if;
    end if;

    if tg_op = 'DELETE' then
      execute pg_catalog.format('delete from %s as t where %s', relation, pg_catalog.replace(key_matches, '$2', '$1')) using old;
      get diagnostics written = row_count;
      return case when written = 0 then null else old end;
    end if;

    for attribute in
      select a.attname as name, a.attgenerated <> '' as generated, a.attidentity as identity, s.item ->> 'encrypted' as encrypted
        from pg_catalog.pg_attribute a
        left join lateral (select item from pg_catalog.jsonb_array_elements(sealed) as item where item ->> 'column' = a.attname::text) s on true
       where a.attrelid = relation and a.attnum > 0 and not a.attisdropped order by a.attnum
    loop
      execute pg_catalog.format('select ($1).%I is null', attribute.name) into is_null using new;
      continue when attribute.generated or attribute.identity = 'a' or (tg_op = 'INSERT' and attribute.identity = 'd' and is_null);
      if tg_op = 'INSERT' then
        changed := changed || pg_catalog.quote_ident(attribute.name);
        given := given || pg_catalog.format('($1).%I', attribute.name);
      else
        execute pg_catalog.format('select pg_catalog.record_image_ne(row(($1).%1$I), row(($2).%1$I))', attribute.name) into is_changed using new, old;
        if is_changed then
          changed := changed || pg_catalog.format('%1$I = ($1).%1$I', attribute.name);
          if is_null and attribute.encrypted is not null then changed := changed || pg_catalog.format('%I = null', attribute.encrypted); end if;
        end if;
      end if;
    end loop;

    if tg_op = 'INSERT' then
      execute pg_catalog.format('insert into %s as t (%s) select %s returning %s', relation, pg_catalog.array_to_string(changed, ', '),
                                pg_catalog.array_to_string(given, ', '), pg_catalog.array_to_string(shown, ', ')) into new using new;
      return new;
    end if;
    if changed = '{}' then return new; end if;
    execute pg_catalog.format('update %s as t set %s where %s returning %s', relation, pg_catalog.array_to_string(changed, ', '), key_matches,
                              pg_catalog.array_to_string(shown, ', ')) into new using new, old;
    get diagnostics written = row_count;
    return case when written = 0 then null else new end;
  end;
  $$;
