-- needs: 0019
-- object: function safekeep.keep_indexes()
--
-- BEFORE INSERT or UPDATE of a table with an encrypted column that can be searched: ciphertext is never stored beside the index of
-- another value, which would make a search pass a row over without a word. Arguments: `given` or `stale`, mode, tenant, field,
-- encrypted column, type of the value, and for each index its kind, column, bits, version and whether it is `strict` (clients know
-- of it and must write it) or `loose` (it is being made or taken away: what is missing is filled in later).
--
-- A trigger cannot see what a statement names, only that it was called for UPDATE OF a column. `given` is called, per index, where
-- the statement names the index and its number stays as it was (as for the same value sealed anew), and says so to `stale`, which comes
-- after it for the same row.
create or replace function safekeep.keep_indexes() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set datestyle = 'ISO, YMD'
  set timezone = 'UTC'
  set bytea_output = 'hex'
  as $$
  declare
    marked constant text := 'safekeep.given_' || pg_catalog.replace(tg_argv[3], '-', '');
    given constant text := coalesce(pg_catalog.current_setting(marked, true), '');
    changes jsonb := '{}';
    plain text;
    number text;
    is_kept boolean;
  begin
    if pg_catalog.current_setting('safekeep.engine', true) = 'on' then return new; end if;
    if tg_argv[0] = 'given' then
      perform pg_catalog.set_config(marked, given || ' ' || tg_argv[6] || tg_argv[9] || ';', true);
      return new;
    end if;
    if given <> '' then perform pg_catalog.set_config(marked, '', true); end if;

    for place in 6 .. tg_nargs - 1 by 5 loop
      if tg_op = 'INSERT' then
        execute pg_catalog.format('select ($1).%I is null', tg_argv[place + 1]) into is_kept using new;
      else
        execute pg_catalog.format('select not pg_catalog.record_image_ne(row(($1).%1$I), row(($2).%1$I))', tg_argv[place + 1])
          into is_kept using old, new;
      end if;
      continue when not is_kept or pg_catalog.strpos(given, ' ' || tg_argv[place] || tg_argv[place + 3] || ';') > 0;
      number := null;
      -- Who has unlocked may use our schema; whoever has not is asked for no right to it.
      if tg_argv[1] = 'database' and coalesce(pg_catalog.current_setting('safekeep.seals_' || pg_catalog.replace(tg_argv[3], '-', ''), true), '') <> '' then
        execute pg_catalog.format('select safekeep.open_column(($1).%I, %L)', tg_argv[4], tg_argv[3]) into plain using new;
        if plain is not null then
          number := safekeep.index_text(tg_argv[2], tg_argv[3]::uuid, tg_argv[place], tg_argv[place + 2]::integer, tg_argv[place + 3]::integer,
                                        safekeep.search_form(tg_argv[place], plain, tg_argv[5]));
        end if;
      end if;
      if number is null and tg_argv[place + 4] = 'strict' then
        raise exception 'safekeep: column % was written without %, which tells what it is found by', tg_argv[4], tg_argv[place + 1]
          using errcode = 'integrity_constraint_violation',
                hint = case when tg_argv[1] = 'database' then 'Call safekeep.unlock in this transaction first, or write both.'
                            else 'Write all columns that the SDK''s sealRow gives for the value.' end;
      end if;
      changes := changes || pg_catalog.jsonb_build_object(tg_argv[place + 1], number);
    end loop;
    return case when changes = '{}' then new else pg_catalog.jsonb_populate_record(new, changes) end;
  end;
  $$;
