-- needs: 0001
-- object: function safekeep.sk1_plain(bytea)
--
-- The way back from safekeep.sk1_content: the value as PostgreSQL writes it for this session, so that a cast to its type reads it.
create or replace function safekeep.sk1_plain(content bytea) returns text
  language plpgsql stable strict parallel safe
  as $$
declare
  body constant bytea := substr(content, 2);
  number bigint;
  within bigint;
begin
  case get_byte(content, 0)
    when 1, 3, 7 then return convert_from(body, 'UTF8');
    when 2 then return ('x' || encode(body, 'hex'))::bit(64)::bigint::text;
    when 4 then
      number := ('x' || encode(body, 'hex'))::bit(32)::integer;
      return case number when 2147483647 then 'infinity' when -2147483648 then '-infinity'
                         else (date '2000-01-01' + number::integer)::text end;
    when 5 then
      number := ('x' || encode(body, 'hex'))::bit(64)::bigint;
      if number = 9223372036854775807 then return 'infinity'; end if;
      if number = -9223372036854775808 then return '-infinity'; end if;
      -- By days and the rest of the day: an interval of so many microseconds would be rounded to a double.
      within := ((number % 86400000000) + 86400000000) % 86400000000;
      return ((timestamp '2000-01-01' + make_interval(days => ((number - within) / 86400000000)::integer) + within * interval '1 microsecond')
              at time zone 'UTC')::text;
    when 6 then return (get_byte(body, 0) <> 0)::text;
    when 8 then return body::text;
    else raise exception 'safekeep: a sealed value is of a type that is unknown here' using errcode = 'data_corrupted';
  end case;
end
$$;
