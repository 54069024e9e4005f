-- needs: 0013
-- object: function safekeep.seal_column()
--
-- BEFORE INSERT or UPDATE of a table with an encrypted column. Arguments: what to do (`both` says that the statement names the
-- plaintext, to `replaced`, which comes after it for the same row; a trigger cannot see it otherwise; `volunteered` is `seal` where the
-- statement names it not; `proposed` says to `keep` that the row an INSERT proposes had a value, until `ended`, which comes AFTER the
-- statement), loose or strict, mode, tenant, field,
-- column, encrypted column, type of the value, and for each blind index its kind, column, bits,
-- version and `strict` or `loose` (see keep_indexes). The WHEN of the
-- trigger says when it is asked; a value that comes sealed already is left as it is, so nothing is sealed twice.
--
-- Runs with the rights of whoever writes: it can do nothing that they could not.
create or replace function safekeep.seal_column() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set datestyle = 'ISO, YMD'
  set timezone = 'UTC'
  set bytea_output = 'hex'
  as $$
  declare
    refuses constant boolean := tg_argv[1] = 'strict';
    col constant text := tg_argv[5];
    encrypted constant text := tg_argv[6];
    -- Who has unlocked may use our schema; whoever has not is asked for no right to it.
    unlocked constant boolean := tg_argv[2] = 'database'
      and coalesce(pg_catalog.current_setting('safekeep.seals_' || pg_catalog.replace(tg_argv[4], '-', ''), true), '') <> '';
    marked constant text := 'safekeep.both_' || pg_catalog.replace(tg_argv[4], '-', '');
    proposed constant text := 'safekeep.proposed_' || pg_catalog.replace(tg_argv[4], '-', '');
    -- Of this statement, and not of one that a trigger of it runs.
    statement constant text := pg_catalog.pg_trigger_depth() || ' ' || pg_catalog.statement_timestamp();
    changes jsonb := '{}';
    plain text;
    is_empty boolean;
    given bytea;
    before bytea;
    sealed bytea;
    number text;
  begin
    -- The engine writes plaintext and ciphertext that belong together, after it compared them.
    if pg_catalog.current_setting('safekeep.engine', true) = 'on' then return new; end if;

    if tg_argv[0] = 'both' then
      perform pg_catalog.set_config(marked, 'on', true);
      return new;
    end if;

    if tg_argv[0] = 'proposed' then
      execute pg_catalog.format('select ($1).%I is null', encrypted) into is_empty using new;
      perform pg_catalog.set_config(proposed, case when is_empty then '' else statement end, true);
      return new;
    end if;

    if tg_argv[0] = 'ended' then
      perform pg_catalog.set_config(proposed, '', true);
      return null;
    end if;

    if tg_argv[0] = 'replaced' then
      if pg_catalog.current_setting(marked, true) = 'on' then
        perform pg_catalog.set_config(marked, '', true);
        return new;
      end if;
      -- Somebody wrote or erased ciphertext alone: it is what counts, and the plaintext beside it is old. Where the session can open
      -- the new one the plaintext follows it (json is printed in another form than the column would keep).
      if unlocked and not refuses and tg_argv[7] <> 'json' then
        execute pg_catalog.format('select safekeep.open_column(($1).%I, %L)', encrypted, tg_argv[4]) into plain using new;
      end if;
      if plain is null and not refuses and exists (select from pg_catalog.pg_attribute as a where a.attrelid = tg_relid and a.attname = col and a.attnotnull) then
        raise exception 'safekeep: column % was written without column %, in which a value must stand until encrypt finish has run', encrypted, col
          using errcode = 'not_null_violation',
                hint = case when tg_argv[2] = 'database' then 'Call safekeep.unlock in this transaction first, or write both.'
                            else 'Write all columns that the SDK''s sealRow gives for the value.' end;
      end if;
      return pg_catalog.jsonb_populate_record(new, pg_catalog.jsonb_build_object(col, plain));
    end if;

    if tg_argv[0] = 'keep' then
      -- SET column = NULL comes from an application that read NULL there and writes back what it read, from an upsert whose
      -- proposed row carries only ciphertext, or from one that means it. The first two would lose the value in silence. Where no value
      -- stands only the second can.
      execute pg_catalog.format('select ($1).%I is null', encrypted) into is_empty using old;
      if is_empty and pg_catalog.current_setting(proposed, true) is distinct from statement then return new; end if;
      raise exception 'safekeep: column % is kept sealed in column %, and setting the empty one to NULL changes nothing there', col, encrypted
        using errcode = 'integrity_constraint_violation',
              hint = pg_catalog.format('To erase the value set %1$I = NULL. In an upsert write SET %1$I = EXCLUDED.%1$I; in a MERGE set %1$I, and leave %2$I out.', encrypted, col);
    end if;

    if tg_argv[0] in ('seal', 'volunteered') then
      -- A client writes plaintext on the way: the ciphertext beside it is old, and no value need be looked at.
      if refuses or tg_argv[2] = 'database' then
        execute pg_catalog.format('select ($1).%I::text, ($1).%I', col, encrypted) into plain, given using new;
      end if;
      if tg_op = 'UPDATE' and given is not null then
        execute pg_catalog.format('select ($1).%I', encrypted) into before using old;
      end if;
      if given is not null and given is distinct from before then
        -- Both came, as the SDK writes them on the way: the ciphertext counts.
        return case when refuses then pg_catalog.jsonb_populate_record(new, pg_catalog.jsonb_build_object(col, null)) else new end;
      end if;
      if tg_argv[0] = 'volunteered' and given is not null then
        -- A trigger of the table's filled in what it read as NULL, while the statement left the value as it is: sealed, it would be lost.
        raise exception 'safekeep: a trigger of the table gives column %, which is kept sealed in column %, a value that the statement does not name', col, encrypted
          using errcode = 'integrity_constraint_violation',
                hint = pg_catalog.format('Let the trigger leave NULL alone there where %I has a value.', encrypted);
      end if;
      if plain is not null and unlocked then
        sealed := safekeep.seal_value(tg_argv[3], tg_argv[4]::uuid, tg_argv[7], plain);
      end if;
      if sealed is null and refuses then
        raise exception 'safekeep: column % takes no plaintext%', col,
                        case when tg_argv[2] = 'database' then ' from a session that has not unlocked its key' else '' end
          using errcode = 'insufficient_privilege',
                hint = case when tg_argv[2] = 'database' then 'Call safekeep.unlock in this transaction first.'
                            else 'Write it through the SDK, which seals it.' end;
      end if;
      changes := pg_catalog.jsonb_build_object(encrypted, sealed);
      if refuses then changes := changes || pg_catalog.jsonb_build_object(col, null); end if;
    end if;

    -- Without ciphertext ('cleared', or plaintext from a session without a key) no index may tell of a value.
    for place in 8 .. tg_nargs - 1 by 5 loop
      number := null;
      if sealed is not null then
        number := safekeep.index_text(tg_argv[3], tg_argv[4]::uuid, tg_argv[place], tg_argv[place + 2]::integer, tg_argv[place + 3]::integer,
                                      safekeep.search_form(tg_argv[place], plain, tg_argv[7]));
        if number is null and tg_argv[place + 4] = 'strict' then
          -- Unlocked before the index was there: stored without it, the value would not be found.
          raise exception 'safekeep: the session has not unlocked the key of the index in column %', tg_argv[place + 1]
            using errcode = 'object_not_in_prerequisite_state', hint = 'Run the transaction again.';
        end if;
      end if;
      changes := changes || pg_catalog.jsonb_build_object(tg_argv[place + 1], number);
    end loop;
    return pg_catalog.jsonb_populate_record(new, changes);
  end;
  $$;
