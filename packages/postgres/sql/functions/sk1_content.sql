-- needs: 0001
-- object: function safekeep.sk1_content(text, text)
--
-- Type and canonical bytes of a value (packages/crypto/SPEC.md). `plain` is the value as PostgreSQL writes it for this session.
create or replace function safekeep.sk1_content(type text, plain text) returns bytea
  language plpgsql stable strict parallel safe
  as $$
begin
  return case type
      when 'text' then '\x01'::bytea || convert_to(plain, 'UTF8')
      when 'int' then '\x02'::bytea || int8send(plain::bigint)
      when 'numeric' then '\x03'::bytea || convert_to(plain::numeric::text, 'UTF8')
      when 'date' then '\x04'::bytea || date_send(plain::date)
      when 'timestamptz' then '\x05'::bytea || timestamptz_send(plain::timestamptz)
      when 'bool' then '\x06'::bytea || boolsend(plain::boolean)
      when 'json' then '\x07'::bytea || convert_to(plain, 'UTF8')
      when 'bytea' then '\x08'::bytea || plain::bytea
    end;
end
$$;
