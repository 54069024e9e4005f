-- needs: 0001
-- object: function safekeep.seal_value(text, uuid, text, text)
--
-- Seals a value of a field under its current key; null without an unlocked one. `type` and `plain` as safekeep.sk1_content takes
-- them.
create or replace function safekeep.seal_value(tenant text, field uuid, type text, plain text) returns bytea
  language plpgsql volatile strict parallel unsafe
  set search_path = pg_catalog, pg_temp
  as $$
declare
  current constant text := current_setting('safekeep.seals_' || replace(field::text, '-', ''), true);
  held bytea;
  iv bytea;
  content bytea;
begin
  if coalesce(current, '') = '' or substr(current, 17) <> tenant then return null; end if;
  -- PCI DSS 4.0.1, 3.3.1: whatever the column is said to hold.
  if safekeep.is_track(plain) then
    raise exception 'safekeep: the content of a magnetic stripe may not be kept after authorisation, not even encrypted'
      using errcode = 'check_violation';
  end if;
  held := decode(current_setting('safekeep.key_' || substr(current, 1, 16)), 'hex');
  content := safekeep.sk1_content(type, plain);
  if content is null then
    raise exception 'safekeep: there is no type % of sealed values', type using errcode = 'invalid_parameter_value';
  end if;
  -- Random but for version and variant, which stand in its bytes 7 and 9 (RFC 9562, 5.4).
  iv := uuid_send(gen_random_uuid());
  return safekeep.sk1_seal(
    substr(held, 1, 32), substr(held, 53), '\xfa531100'::bytea || decode(substr(current, 1, 16), 'hex'),
    content, substr(iv, 1, 6) || substr(iv, 10, 6), (get_byte(held, 33) << 16) | (get_byte(held, 34) << 8) | get_byte(held, 35));
end
$$;
