-- needs: 0013
-- object: function safekeep.check_card()
--
-- BEFORE INSERT or UPDATE of a table with an encrypted column of card numbers, in database mode: plaintext that is none is refused
-- before it is sealed, since nobody sees it afterwards. Argument: the column. The message never quotes the value.
create or replace function safekeep.check_card() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
  as $$
  declare
    plain text;
  begin
    if pg_catalog.current_setting('safekeep.engine', true) = 'on' then return new; end if;
    execute pg_catalog.format('select ($1).%I::text', tg_argv[0]) into plain using new;
    if safekeep.card_number(plain) is null then
      raise exception 'safekeep: column % takes card numbers only, and this is none (length or check digit)', tg_argv[0]
        using errcode = 'check_violation';
    end if;
    return new;
  end;
  $$;
