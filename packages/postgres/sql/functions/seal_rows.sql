-- needs: 0013
-- object: function safekeep.seal_rows(text, text, text, text, bigint)
--
-- Seals up to `at_most` values of a column that have no ciphertext yet, under the key of that id, which must be unlocked in this
-- transaction and the current one of its field; answers how many. Rows that others hold are left. The key's scope names the field.
create or replace function safekeep.seal_rows(of_table text, of_column text, target text, key_id text, at_most bigint) returns bigint
  language plpgsql volatile parallel unsafe
  set search_path = ''
  set datestyle = 'ISO, YMD'
  set timezone = 'UTC'
  set bytea_output = 'hex'
  as $$
declare
  relation constant regclass := of_table::pg_catalog.regclass;
  id constant text := pg_catalog.lower(pg_catalog.ltrim(key_id, '\x'));
  field record;
  written bigint;
begin
  select f.tenant_id as tenant, f.field_id as id, f.value_type as type into field
    from safekeep.encryption_keys as k join safekeep.fields as f on f.tenant_id = k.tenant_id and k.scope = 'field.' || f.field_id
   where k.key_id = pg_catalog.decode(id, 'hex') and k.key_purpose = 'data';
  if not found then
    raise exception 'safekeep: key % is the key of no field', id using errcode = 'invalid_parameter_value',
          hint = 'safekeep encrypt plans the field and makes its key; set_config(''safekeep.tenant'', …) says whose.';
  end if;
  if pg_catalog.left(coalesce(pg_catalog.current_setting('safekeep.seals_' || pg_catalog.replace(field.id::text, '-', ''), true), ''), 16) <> id then
    raise exception 'safekeep: key % is not unlocked for sealing in this transaction', id using errcode = 'insufficient_privilege',
          hint = 'Call safekeep.unlock in this transaction first.';
  end if;
  perform pg_catalog.set_config('safekeep.engine', 'on', true);
  execute pg_catalog.format(
    'with left_over as (select t.ctid as place from only %1$s as t where t.%2$I is not null and t.%3$I is null limit $1 for no key update skip locked)
     update only %1$s as t set %3$I = safekeep.seal_value($2, $3, $4, t.%2$I::text) from left_over as l where t.ctid = l.place',
    relation, of_column, target) using at_most, field.tenant, field.id, field.type;
  get diagnostics written = row_count;
  return written;
end
$$;
