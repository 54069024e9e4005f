-- needs: 0013
-- object: function safekeep.write_decrypted()
--
-- INSTEAD OF INSERT, UPDATE or DELETE on a view TABLE_decrypted. Arguments: schema and name of the table, and a jsonb array of
-- its encrypted columns: {id, column, encrypted, type}. Plaintext goes to the table as it is written and its trigger seals it, or
-- refuses where the session has no key; only columns that the statement changed are written, so that what a session without
-- a key sees as NULL is not written back. Columns that the table was given after the view are the table's own business. An INSERT
-- comes with the view's defaults, which are those that the table had when the view was made: where they differ by now it is refused.
-- RETURNING shows the row as it stands, with the plaintext that was given.
--
-- What the view showed was read before, and nothing holds the row since: it is written only while it still is what was read. Where
-- another transaction has changed it meanwhile a table would look again; a view cannot, and says so.
-- Runs with the rights of whoever writes.
create or replace function safekeep.write_decrypted() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
  as $$
  declare
    relation constant regclass := pg_catalog.format('%I.%I', tg_argv[0], tg_argv[1])::pg_catalog.regclass;
    sealed constant jsonb := tg_argv[2]::jsonb;
    changed text[] := '{}';
    given text[] := '{}';
    shown jsonb := '{}';
    returned text;
    key_matches text;
    unchanged text;
    was record;
    is_changed boolean;
    is_replaced boolean;
    is_null boolean;
    attribute record;
    other record;
    written integer;
  begin
    if tg_op = 'INSERT' then
      select a.attname as name, t.value into other
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_attribute v on v.attrelid = tg_relid and v.attname = a.attname and v.attnum > 0 and not v.attisdropped
        left join lateral (select pg_catalog.pg_get_expr(d.adbin, d.adrelid) as value from pg_catalog.pg_attrdef d where d.adrelid = a.attrelid and d.adnum = a.attnum) t on true
        left join lateral (select pg_catalog.pg_get_expr(d.adbin, d.adrelid) as value from pg_catalog.pg_attrdef d where d.adrelid = v.attrelid and d.adnum = v.attnum) s on true
       where a.attrelid = relation and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and t.value is distinct from s.value
       order by a.attnum limit 1;
      if found then
        raise exception 'safekeep: column % of % has another default by now than its view', other.name, relation
          using errcode = 'object_not_in_prerequisite_state',
                hint = pg_catalog.format('Give the view the default of the table: ALTER VIEW %s ALTER COLUMN %I %s.', tg_relid::pg_catalog.regclass, other.name,
                                         coalesce('SET DEFAULT ' || other.value, 'DROP DEFAULT'));
      end if;
    end if;

    if tg_op in ('UPDATE', 'DELETE') then
      select pg_catalog.string_agg(pg_catalog.format('t.%1$I operator(pg_catalog.=) ($1).%1$I', a.attname), ' and ')
        into key_matches
        from pg_catalog.pg_index i, pg_catalog.unnest(i.indkey::smallint[]) as n (number)
        join pg_catalog.pg_attribute a on a.attrelid = relation and a.attnum = n.number
       where i.indrelid = relation and i.indisprimary;
      if key_matches is null then
        raise exception 'safekeep: % has no primary key, so a row of its view cannot be found in it', relation
          using errcode = 'object_not_in_prerequisite_state';
      end if;
      -- Of a sealed value the ciphertext tells; its plaintext where there is none.
      select pg_catalog.string_agg(
               case when s.item is null then pg_catalog.format('not pg_catalog.record_image_ne(row(t.%1$I), row(($1).%1$I))', a.attname)
                    else pg_catalog.format('(t.%2$I is not null or not pg_catalog.record_image_ne(row(t.%1$I), row(($1).%1$I)))', a.attname, s.item ->> 'encrypted') end,
               ' and ')
        into unchanged
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_attribute v on v.attrelid = tg_relid and v.attname = a.attname and v.attnum > 0 and not v.attisdropped
        left join lateral (select item from pg_catalog.jsonb_array_elements(sealed) as item where item ->> 'column' = a.attname::text) s on true
       where a.attrelid = relation and a.attnum > 0 and not a.attisdropped;
    end if;

    if tg_op = 'DELETE' then
      execute pg_catalog.format('delete from %s as t where %s and %s', relation, key_matches, unchanged) using old;
    else
      for attribute in
        select a.attname as name, a.attgenerated <> '' as generated, a.attidentity as identity, s.item ->> 'encrypted' as encrypted, s.item ->> 'id' as id,
               s.item ->> 'type' as type
          from pg_catalog.pg_attribute a
          join pg_catalog.pg_attribute v on v.attrelid = tg_relid and v.attname = a.attname and v.attnum > 0 and not v.attisdropped
          left join lateral (select item from pg_catalog.jsonb_array_elements(sealed) as item where item ->> 'column' = a.attname::text) s on true
         where a.attrelid = relation and a.attnum > 0 and not a.attisdropped order by a.attnum
      loop
        shown := shown || pg_catalog.jsonb_build_object(attribute.name, pg_catalog.format(case when attribute.encrypted is null then 't.%I' else '($2).%I' end, attribute.name));
        execute pg_catalog.format('select ($1).%I is null', attribute.name) into is_null using new;
        continue when attribute.generated or attribute.identity = 'a' or (tg_op = 'INSERT' and attribute.identity = 'd' and is_null);
        if tg_op = 'INSERT' then
          changed := changed || pg_catalog.quote_ident(attribute.name);
          given := given || pg_catalog.format('($2).%I', attribute.name);
          continue;
        end if;
        execute pg_catalog.format('select pg_catalog.record_image_ne(row(($1).%1$I), row(($2).%1$I))', attribute.name) into is_changed using new, old;
        if is_changed then
          changed := changed || pg_catalog.format('%1$I = ($2).%1$I', attribute.name);
          if is_null and attribute.encrypted is not null then changed := changed || pg_catalog.format('%I = null', attribute.encrypted); end if;
        elsif attribute.encrypted is not null then
          execute pg_catalog.format('select pg_catalog.record_image_ne(row(($1).%1$I), row(($2).%1$I))', attribute.encrypted) into is_replaced using new, old;
          if is_replaced then
            -- The ciphertext was written by itself: what it opens to, for whoever may open it, and not what stood there before.
            shown := shown || pg_catalog.jsonb_build_object(attribute.name, pg_catalog.format(
              case when coalesce(pg_catalog.current_setting('safekeep.seals_' || pg_catalog.replace(attribute.id, '-', ''), true), '') = ''
                   then 'case when t.%2$I is null then t.%1$I end'
                   else 'case when t.%2$I is null then t.%1$I else safekeep.open_column(t.%2$I, %3$L)::%4$s end' end,
              attribute.name, attribute.encrypted, attribute.id, attribute.type));
          end if;
        end if;
      end loop;
      if tg_op = 'UPDATE' and changed = '{}' then return new; end if;

      -- Columns of the view in their order: the table's own, and the ids of keys, which are computed.
      select pg_catalog.string_agg(
               coalesce(shown ->> v.attname::text, case when k.encrypted is null then 'null' else pg_catalog.format('pg_catalog.encode(pg_catalog.substr(t.%I, 5, 8), %L)', k.encrypted, 'hex') end), ', '
               order by v.attnum)
        into returned
        from pg_catalog.pg_attribute v
        left join lateral (select item ->> 'encrypted' as encrypted from pg_catalog.jsonb_array_elements(sealed) with ordinality as e (item, place)
                            where v.attname::text = case when place = 1 then 'encryption_key_id' else (item ->> 'column') || '_encryption_key_id' end) k on true
       where v.attrelid = tg_relid and v.attnum > 0 and not v.attisdropped;

      if tg_op = 'INSERT' then
        execute pg_catalog.format('insert into %s as t (%s) select %s returning %s', relation, pg_catalog.array_to_string(changed, ', '),
                                  pg_catalog.array_to_string(given, ', '), returned) into new using new, new;
        return new;
      end if;
      execute pg_catalog.format('update %s as t set %s where %s and %s returning %s', relation, pg_catalog.array_to_string(changed, ', '), key_matches,
                                unchanged, returned) into new using old, new;
    end if;
    get diagnostics written = row_count;
    if written > 0 and tg_op = 'DELETE' then return old; end if;
    if written > 0 then return new; end if;

    execute pg_catalog.format('select t.xmin::text as version, %s as unchanged from %s as t where %s', unchanged, relation, key_matches) into was using old;
    -- It is gone, or a policy or a trigger did not let it be written, or this very statement has written it: as with a table.
    if was.version is null or was.unchanged or was.version = pg_catalog.pg_current_xact_id()::xid::text then return null; end if;
    raise exception 'safekeep: a row of % was changed by another transaction after this statement had read it', relation
      using errcode = 'serialization_failure', hint = 'Run the transaction again.';
  end;
  $$;
