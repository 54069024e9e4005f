-- needs: 0007
-- object: function safekeep.is_held(text, regclass, text, jsonb, text[])
--
-- Whether a row must stay, for the triggers that guard it: by its key (as safekeep.key_part writes it), by what it contains
-- (to_jsonb of the row, for holds with a condition), or by the people it is about ('patient:42'). Runs as its owner, because
-- whoever deletes a row need not be allowed to know of holds; it answers for the named tenant and says nothing but yes or no.
--
-- It tells whether a person is held, so it is not for everybody: a trigger on a table that others write to is made SECURITY DEFINER,
-- by an owner who is a member of safekeep_app.
--
-- What it cannot decide is an error, never a no.
create or replace function safekeep.is_held(tenant text, relation regclass, row_key text, contents jsonb, people text[])
  returns boolean
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  as $$
declare
  held safekeep.standing_holds;
  made record;
  answer boolean;
begin
  if tenant is null or relation is null or row_key is null or contents is null or people is null then
    raise exception 'Whether a row is held cannot be told from less than all of it.' using errcode = 'null_value_not_allowed';
  end if;
  perform safekeep.lock_holds(tenant, false);
  if exists (
    select from pg_catalog.unnest(people) as person
      join safekeep.standing_holds as h
        on h.tenant_id = tenant and h.kind = 'subject'
       and h.subject_type = pg_catalog.split_part(person, ':', 1)
       and h.subject_key = pg_catalog.substr(person, pg_catalog.strpos(person, ':') + 1)
  ) then return true; end if;
  if exists (
    select from safekeep.hold_rows as r
      join safekeep.holds_on(tenant, relation) as h on h.hold_id = r.hold_id
     where r.tenant_id = tenant and r.row_key = is_held.row_key
  ) then return true; end if;
  for held in select * from safekeep.holds_on(tenant, relation) where kind = 'query' loop
    select * into made from safekeep.hold_predicate(held.condition, relation, true, '{}');
    execute 'select ' || made.predicate into answer using made.operands, contents;
    if answer then return true; end if;
  end loop;
  return false;
end
$$;
revoke execute on function safekeep.is_held(text, regclass, text, jsonb, text[]) from public;
do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant execute on function safekeep.is_held(text, regclass, text, jsonb, text[]) to safekeep_app;
end
$$;
