-- needs: 0001
-- object: function safekeep.unlock(bytea)
--
-- Makes keys usable by safekeep.seal_value, open_value and index_value until the end of this transaction, and answers how many.
-- `wrapped` is what `wrappedKeys` of the SDK gives, always as a bound parameter. Keys are held in settings that are local to the
-- transaction: only this session sees them, no view of statistics shows them, and the end of the transaction takes them away.
--
-- Refused where the server would write the parameter into its log.
create or replace function safekeep.unlock(wrapped bytea) returns integer
  language plpgsql volatile strict parallel unsafe
  set search_path = pg_catalog, pg_temp
  as $$
declare
  at integer := 5;
  keys integer := 0;
  kind integer;
  id text;
  key bytea;
  field uuid;
  tenant text;
  tenant_bytes integer;
  bound bytea;
  logs constant text := safekeep.logs_parameters();
begin
  if logs is not null then
    raise exception 'safekeep: unlock refused, since the server would log the key: %', logs
      using errcode = 'object_not_in_prerequisite_state',
            hint = 'ALTER ROLE … SET log_parameter_max_length = 0 (and log_parameter_max_length_on_error = 0) for the login of the application.';
  end if;
  if substr(wrapped, 1, 4) <> '\x53554b31'::bytea then
    raise exception 'safekeep: unlock takes what the SDK wraps, and this is something else' using errcode = 'invalid_parameter_value';
  end if;
  -- Without a parameter it can only stand there, in whatever form.
  if current_query() !~ '[$][0-9]' or position(encode(wrapped, 'hex') in lower(current_query())) > 0
     or position(translate(encode(wrapped, 'base64'), E'\n', '') in translate(current_query(), E' \n\r\t', '')) > 0 then
    raise exception 'safekeep: unlock refused, since the key stands in the text of the statement'
      using errcode = 'object_not_in_prerequisite_state',
            hint = 'Give it as a bound parameter. Whoever saw the statement has seen the key: rotate it.';
  end if;
  while at <= octet_length(wrapped) loop
    -- Cut off or of another make: no part may be read as what it is not, and no message may quote it.
    if octet_length(wrapped) < at + 58 or get_byte(wrapped, at - 1) not between 1 and 3
       or octet_length(wrapped) < at + 58 + ((get_byte(wrapped, at + 56) << 8) | get_byte(wrapped, at + 57)) then
      raise exception 'safekeep: unlock takes what the SDK wraps, and this is cut off or something else' using errcode = 'invalid_parameter_value';
    end if;
    kind := get_byte(wrapped, at - 1);
    id := encode(substr(wrapped, at + 1, 8), 'hex');
    key := substr(wrapped, at + 9, 32);
    field := encode(substr(wrapped, at + 41, 16), 'hex')::uuid;
    tenant_bytes := (get_byte(wrapped, at + 56) << 8) | get_byte(wrapped, at + 57);
    tenant := convert_from(substr(wrapped, at + 59, tenant_bytes), 'UTF8');
    at := at + 59 + tenant_bytes;
    keys := keys + 1;
    if kind = 3 then
      perform set_config('safekeep.index_' || replace(field::text, '-', '') || '_' || ('x' || id)::bit(64)::bigint, encode(key, 'hex') || tenant, true);
      continue;
    end if;
    bound := safekeep.sk1_bound('\xfa531100'::bytea || decode(id, 'hex'), tenant, field);
    perform set_config('safekeep.key_' || id, encode(key || int4send(octet_length(bound)) || uuid_send(field) || safekeep.gcm_state(key, bound), 'hex'), true);
    if kind = 1 then perform set_config('safekeep.seals_' || replace(field::text, '-', ''), id || tenant, true); end if;
  end loop;
  return keys;
end
$$;
