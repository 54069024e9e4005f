-- needs: 0013
-- object: function safekeep.search_form(text, text, text)
--
-- The form of a value that its blind index is made of, to the byte as canonicalForm() in packages/core/fields/canonical.ts has
-- it; a test holds the two against each other. Nothing here depends on a collation, a locale or a version of Unicode.
create or replace function safekeep.search_form(kind text, value text, value_type text) returns text
  language plpgsql immutable strict parallel safe
  set search_path = pg_catalog, pg_temp
  as $$
  declare
    upper constant text := 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
    lower constant text := 'abcdefghijklmnopqrstuvwxyz';
    letters text;
    code text;
    digit text;
    previous text;
  begin
    case kind
      when 'exact', 'unique' then
        if value_type = 'numeric' and pg_catalog.strpos(value, '.') > 0 then
          return pg_catalog.rtrim(pg_catalog.rtrim(value, '0'), '.');
        end if;
        return value;
      when 'last4' then
        return nullif(pg_catalog.right(pg_catalog.translate(
                 pg_catalog.regexp_replace(value collate "C", '[^0-9A-Za-z]', '', 'g'), upper, lower), 4), '');
      when 'prefix' then
        return nullif(pg_catalog.translate(pg_catalog.left(pg_catalog.ltrim(value, E' \t\n\r'), 3), upper, lower), '');
      when 'year' then
        if value like '%BC' then return null; end if;
        return pg_catalog.substring(value collate "C", '^([0-9]{4,})-[0-9]{2}(?:-|$)');
      when 'month' then
        if value like '%BC' then return null; end if;
        return pg_catalog.substring(value collate "C", '^([0-9]{4,}-[0-9]{2})(?:-|$)');
      when 'card_bin', 'card_last4' then
        letters := safekeep.card_number(value);
        return case when kind = 'card_last4' then pg_catalog.right(letters, 4)
                    else pg_catalog.left(letters, case when pg_catalog.length(letters) >= 16 then 8 else 6 end) end;
      when 'soundex' then
        letters := pg_catalog.translate(pg_catalog.regexp_replace(value collate "C", '[^A-Za-z]', '', 'g'), lower, upper);
        if letters = '' then return null; end if;
        code := pg_catalog.left(letters, 1);
        -- One digit for each letter of the alphabet, 0 where it has none. Vowels separate equal codes, H and W do not.
        previous := pg_catalog.translate(code, upper, '01230120022455012623010202');
        for place in 2 .. pg_catalog.length(letters) loop
          digit := pg_catalog.substr(letters, place, 1);
          continue when digit in ('H', 'W');
          digit := pg_catalog.translate(digit, upper, '01230120022455012623010202');
          if digit <> '0' and digit <> previous then code := code || digit; end if;
          previous := digit;
          exit when pg_catalog.length(code) = 4;
        end loop;
        return pg_catalog.rpad(code, 4, '0');
      else
        raise exception 'safekeep: there is no search by %', kind using errcode = 'invalid_parameter_value';
    end case;
  end;
  $$;
