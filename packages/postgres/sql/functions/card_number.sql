-- needs: 0001
-- object: function safekeep.card_number(text)
--
-- The digits of a card number that may be grouped by spaces or hyphens; null where it is none (length of ISO/IEC 7812, check digit of
-- its annex B). To the digit as cardNumber() in packages/core/fields/card.ts has it.
create or replace function safekeep.card_number(value text) returns text
  language plpgsql immutable strict parallel safe
  set search_path = pg_catalog, pg_temp
  as $$
declare
  digits constant text := pg_catalog.translate(value, ' -', '');
  total integer := 0;
  digit integer;
begin
  if digits collate "C" !~ '^[0-9]{12,19}$' then return null; end if;
  for place in 1 .. pg_catalog.length(digits) loop
    digit := pg_catalog.substr(pg_catalog.reverse(digits), place, 1)::integer * case when place % 2 = 0 then 2 else 1 end;
    total := total + case when digit > 9 then digit - 9 else digit end;
  end loop;
  return case when total % 10 = 0 then digits end;
end
$$;
