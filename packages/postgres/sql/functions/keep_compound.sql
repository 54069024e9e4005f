-- needs: 0020
-- object: function safekeep.keep_compound()
--
-- BEFORE INSERT or UPDATE of a table with an index over several encrypted columns: where one of them changes, the number is made
-- anew or asked for, and where one is empty there is none. Arguments: `given` or `made`, mode, tenant, field, column, bits and
-- version of the index, `strict` or `loose` as in keep_indexes, then encrypted column, type and field of each value.
--
-- It runs after the triggers that seal, in the order of their names, and sees what those left. `given` is called where the statement
-- names the column of the index and its number stays as it was, and says so to `made`, which comes after it for the same row.
create or replace function safekeep.keep_compound() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set datestyle = 'ISO, YMD'
  set timezone = 'UTC'
  set bytea_output = 'hex'
  as $$
  declare
    marked constant text := 'safekeep.compound_' || pg_catalog.replace(tg_argv[3], '-', '') || '_' || tg_argv[6];
    given constant boolean := coalesce(pg_catalog.current_setting(marked, true), '') <> '';
    plain text;
    form text := '';
    number text;
    is_empty boolean;
    is_kept boolean;
  begin
    if pg_catalog.current_setting('safekeep.engine', true) = 'on' then return new; end if;
    if tg_argv[0] = 'given' then
      perform pg_catalog.set_config(marked, 'given', true);
      return new;
    end if;
    if given then perform pg_catalog.set_config(marked, '', true); end if;

    for place in 8 .. tg_nargs - 1 by 3 loop
      execute pg_catalog.format('select ($1).%I is null', tg_argv[place]) into is_empty using new;
      if is_empty then return pg_catalog.jsonb_populate_record(new, pg_catalog.jsonb_build_object(tg_argv[4], null)); end if;
    end loop;

    if tg_op = 'INSERT' then
      execute pg_catalog.format('select ($1).%I is null', tg_argv[4]) into is_kept using new;
    else
      execute pg_catalog.format('select not pg_catalog.record_image_ne(row(($1).%1$I), row(($2).%1$I))', tg_argv[4]) into is_kept using old, new;
    end if;
    if given or not is_kept then return new; end if;

    -- Who has unlocked may use our schema; whoever has not is asked for no right to it.
    if tg_argv[1] = 'database' and coalesce(pg_catalog.current_setting('safekeep.seals_' || pg_catalog.replace(tg_argv[3], '-', ''), true), '') <> '' then
      for place in 8 .. tg_nargs - 1 by 3 loop
        execute pg_catalog.format('select safekeep.open_column(($1).%I, %L)', tg_argv[place], tg_argv[place + 2]) into plain using new;
        plain := safekeep.search_form('exact', plain, tg_argv[place + 1]);
        form := form || pg_catalog.octet_length(pg_catalog.convert_to(plain, 'UTF8')) || ':' || plain;
      end loop;
      -- Null where one of the keys is not unlocked.
      if form is not null then
        number := safekeep.index_text(tg_argv[2], tg_argv[3]::uuid, 'compound', tg_argv[5]::integer, tg_argv[6]::integer, form);
      end if;
    end if;
    if number is null and tg_argv[7] = 'strict' then
      raise exception 'safekeep: a column that is searched together with others was written without %, which tells what they are found by', tg_argv[4]
        using errcode = 'integrity_constraint_violation',
              hint = case when tg_argv[1] = 'database' then 'Call safekeep.unlock in this transaction first.'
                          else 'Write all columns that the SDK''s sealColumns gives for the values of all of them.' end;
    end if;
    return pg_catalog.jsonb_populate_record(new, pg_catalog.jsonb_build_object(tg_argv[4], number));
  end;
  $$;
