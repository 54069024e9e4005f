-- needs: 0013
-- object: function safekeep.seal_rows(text, text, text, text, bigint)
--
-- Seals up to `at_most` values of a column that have no ciphertext yet, with their blind indexes, under the key of that id, which
-- must be unlocked in this transaction and the current one of its field; answers how many. What was stored is opened and compared.
-- Rows that others hold are left. The key's scope names the field, and the field its table and columns: a value sealed anywhere
-- else would not open there.
--
-- The engine's setting is put back before the function ends (and by an abort): what the caller writes afterwards meets the
-- triggers again. It cannot stand as SET of the function, which only a superuser may give a setting of ours.
create or replace function safekeep.seal_rows(of_table text, of_column text, target text, key_id text, at_most bigint) returns bigint
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
  set datestyle = 'ISO, YMD'
  set timezone = 'UTC'
  set bytea_output = 'hex'
  as $$
declare
  relation constant regclass := of_table::pg_catalog.regclass;
  id constant text := pg_catalog.lower(pg_catalog.ltrim(key_id, '\x'));
  field record;
  before constant text := coalesce(pg_catalog.current_setting('safekeep.engine', true), '');
  short_id text;
  indexes text;
  is_locked boolean;
  written bigint;
  differing bigint;
begin
  if id !~ '^[0-9a-f]{16}$' then
    raise exception 'safekeep: the id of a key has 16 hex digits' using errcode = 'invalid_parameter_value';
  end if;
  select f.tenant_id as tenant, f.field_id as id, f.value_type as type, f.column_name as plain, f.encrypted_column as encrypted,
         exists (select from pg_catalog.pg_class as c where c.oid = relation and c.relkind = 'p') as is_partitioned,
         pg_catalog.format('%I.%I', f.table_schema, f.table_name) as named into field
    from safekeep.encryption_keys as k join safekeep.fields as f on f.tenant_id = k.tenant_id and k.scope = 'field.' || f.field_id
   where k.key_id = pg_catalog.decode(id, 'hex') and k.key_purpose = 'data';
  if not found then
    raise exception 'safekeep: key % is the key of no field', id using errcode = 'invalid_parameter_value',
          hint = 'safekeep encrypt TABLE.COLUMN --prepare plans the field and makes its key; set_config(''safekeep.tenant'', …) says whose.';
  end if;
  if pg_catalog.to_regclass(field.named) is distinct from relation or field.plain <> of_column or field.encrypted <> target then
    raise exception 'safekeep: key % belongs to column % of %, sealed in %', id, field.plain, field.named, field.encrypted
      using errcode = 'invalid_parameter_value', hint = 'A value is bound to its field, and would not open in another column.';
  end if;
  short_id := pg_catalog.replace(field.id::text, '-', '');
  if pg_catalog.left(coalesce(pg_catalog.current_setting('safekeep.seals_' || short_id, true), ''), 16) <> id then
    raise exception 'safekeep: key % is not unlocked for sealing in this transaction', id using errcode = 'insufficient_privilege',
          hint = 'Call safekeep.unlock in this transaction first.';
  end if;
  select pg_catalog.string_agg(
           pg_catalog.format(', %I = safekeep.index_text($2, $3, %L, %s, %s, safekeep.search_form(%L, t.%I::text, $4))::%s',
                             i.column_name, i.kind, i.bits, i.version, i.kind, of_column,
                             case when i.kind = 'unique' then 'pg_catalog.bytea' when i.kind in ('card_bin', 'card_last4') then 'pg_catalog.text' else 'pg_catalog.int8' end), ''),
         pg_catalog.bool_or(coalesce(pg_catalog.current_setting('safekeep.index_' || short_id || '_' || i.version, true), '') = '')
    into indexes, is_locked
    from safekeep.field_indexes as i where i.tenant_id = field.tenant and i.field_id = field.id and i.state <> 'left'
     -- Made of several columns, and only where none of them has plaintext left.
     and i.kind <> 'compound';
  if is_locked then
    raise exception 'safekeep: the index key of column % is not unlocked, and without it no search would find its rows', of_column
      using errcode = 'insufficient_privilege', hint = 'Give safekeep.unlock what wrappedKeys of the SDK gives.';
  end if;
  perform pg_catalog.set_config('safekeep.engine', 'on', true);
  execute pg_catalog.format(
    'with left_over as (select t.tableoid as part, t.ctid as place from %5$s %1$s as t where t.%2$I is not null and t.%3$I is null limit $1 for no key update skip locked),
          written as (update %5$s %1$s as t set %3$I = safekeep.seal_value($2, $3, $4, t.%2$I::text)%4$s from left_over as l where t.ctid = l.place and t.tableoid = l.part
                      returning safekeep.open_column(t.%3$I, $3) is distinct from t.%2$I::text as differs)
     select pg_catalog.count(*), pg_catalog.count(*) filter (where differs) from written',
    relation, of_column, target, coalesce(indexes, ''), case when field.is_partitioned then '' else 'only' end) into written, differing using at_most, field.tenant, field.id, field.type;
  perform pg_catalog.set_config('safekeep.engine', before, true);
  if differing > 0 then
    raise exception 'safekeep: % values of column % do not open to what was sealed; nothing of this batch is kept', differing, of_column
      using errcode = 'data_corrupted';
  end if;
  return written;
end
$$;
