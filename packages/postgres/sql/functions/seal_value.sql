-- needs: 0001
-- object: function safekeep.seal_value(text, uuid, text, text)
--
-- Seals a value of a field under its current key; null without an unlocked one. `type` and `plain` as safekeep.sk1_content takes
-- them.
create or replace function safekeep.seal_value(tenant text, field uuid, type text, plain text) returns bytea
  language plpgsql volatile strict parallel unsafe
  set search_path = ''
  as $$
declare
  current constant text := current_setting('safekeep.seals_' || replace(field::text, '-', ''), true);
  held text;
  content bytea;
begin
  if coalesce(current, '') = '' or substr(current, 17) <> tenant then return null; end if;
  held := current_setting('safekeep.key_' || substr(current, 1, 16));
  content := safekeep.sk1_content(type, plain);
  if content is null then
    raise exception 'safekeep: there is no type % of sealed values', type using errcode = 'invalid_parameter_value';
  end if;
  return safekeep.sk1_seal(
    decode(substr(held, 1, 64), 'hex'), substr(held, 73), '\xfa531100'::bytea || decode(substr(current, 1, 16), 'hex'),
    content, substr(uuid_send(gen_random_uuid()), 1, 6) || substr(uuid_send(gen_random_uuid()), 1, 6),
    substr(held, 65, 8)::integer);
end
$$;
