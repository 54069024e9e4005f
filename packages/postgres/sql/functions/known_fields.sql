-- needs: 0020
-- object: function safekeep.known_fields(text)
--
-- What a client of the SDK must know of the encrypted fields of a tenant, in one answer on any connection, also in the middle of a
-- transaction of the application's: the tenant is set for this call, and afterwards it is the one that the application had set.
-- Only fields whose triggers stand: before, ciphertext that a client wrote would not be taken away by others who write plaintext
-- only, and would be taken for true. One that stands in `added` on the way back is there to be read, and is written and asked for as a
-- plain column: `decrypt` takes it out when everybody has heard so. `isMissing`: our triggers stand on a table, and the column is not where its name says.
-- `partitions`: tables that hold its rows under names of their own, with the numbers that its columns have there. They are read without a
-- lock, so that nobody waits here for one who attaches or detaches.
-- `view`: ours that opens a field of the database mode, and shows its ciphertext beside it.
-- `ageMs`: how old the answer may be, where the transaction goes on seeing what it saw first.
create or replace function safekeep.known_fields(tenant text) returns jsonb
  language plpgsql stable
  set search_path = pg_catalog, pg_temp
  as $$
declare
  before text := coalesce(pg_catalog.current_setting('safekeep.tenant', true), '');
  known jsonb;
begin
  perform pg_catalog.set_config('safekeep.tenant', tenant, true);
  known := pg_catalog.jsonb_build_object(
    'isTenant', exists (select from safekeep.tenants as t where t.tenant_id = tenant),
    'ageMs', case when pg_catalog.current_setting('transaction_isolation') = 'read committed' then 0
                  else (extract(epoch from pg_catalog.clock_timestamp() - pg_catalog.transaction_timestamp()) * 1000)::double precision end,
    'fields', coalesce((
      select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
               'id', f.field_id, 'schema', f.table_schema, 'table', f.table_name, 'column', f.column_name, 'encrypted', f.encrypted_column,
               'valueType', f.value_type, 'isCard', f.is_card, 'mode', f.mode, 'phase', f.phase,
               'direction', f.direction, 'keyScope', f.key_scope, 'isMissing', o.relation is null,
               'tableOid', o.relation::bigint, 'columnNumber', o.plain, 'encryptedNumber', o.sealed,
               'typeOid', o.type_oid::bigint, 'typeName', o.type_name, 'typeModifier', o.modifier,
               'partitions', coalesce((
                 with recursive parts as (
                   select o.relation as part
                   union all
                   select c.oid from parts
                     join pg_catalog.pg_inherits as i on i.inhparent = parts.part
                     join pg_catalog.pg_class as c on c.oid = i.inhrelid and c.relispartition
                 )
                 select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                          'schema', s.nspname, 'table', c.relname, 'tableOid', c.oid::bigint,
                          'numbers', (select pg_catalog.jsonb_object_agg(a.attname, a.attnum) from pg_catalog.pg_attribute as a
                                       where a.attrelid = c.oid and not a.attisdropped
                                         and (a.attname in (f.column_name, f.encrypted_column) or exists (
                                               select from safekeep.field_indexes as i
                                                where i.tenant_id = f.tenant_id and i.field_id = f.field_id and i.column_name = a.attname)))))
                   from parts
                   join pg_catalog.pg_class as c on c.oid = parts.part
                   join pg_catalog.pg_namespace as s on s.oid = c.relnamespace
                  where parts.part <> o.relation), '[]'),
               'view', (
                 select pg_catalog.jsonb_build_object('tableOid', v.oid::bigint, 'encryptedNumber', a.attnum)
                   from pg_catalog.pg_trigger as g
                   join pg_catalog.pg_class as v on v.oid = g.tgrelid and v.relkind = 'v'
                   join pg_catalog.pg_attribute as a on a.attrelid = v.oid and a.attname = f.encrypted_column and not a.attisdropped
                  where f.mode = 'database' and g.tgname = 'zz_safekeep_write' and not g.tgisinternal
                    and position(pg_catalog.convert_to(f.field_id::text, 'UTF8') in g.tgargs) > 0
                  limit 1),
               'indexes', coalesce((
                 select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                          'kind', i.kind, 'column', i.column_name, 'bits', i.bits, 'version', i.version, 'state', i.state,
                          'number', n.attnum, 'parts', coalesce(pg_catalog.to_jsonb(i.parts), '[]')) order by i.kind, i.version)
                   from safekeep.field_indexes as i
                   join pg_catalog.pg_attribute as n on n.attrelid = o.relation and n.attname = i.column_name and not n.attisdropped
                  where i.tenant_id = f.tenant_id and i.field_id = f.field_id), '[]')))
        from safekeep.fields as f
        left join lateral (
          -- A domain is what it stands for, as results name it.
          with recursive named as (
            select c.oid as relation, p.attnum as plain, e.attnum as sealed, p.atttypid as type_oid, p.atttypmod as modifier
              from pg_catalog.pg_namespace as s
              join pg_catalog.pg_class as c on c.relnamespace = s.oid and c.relname = f.table_name
              join pg_catalog.pg_attribute as p on p.attrelid = c.oid and p.attname = f.column_name and not p.attisdropped
              join pg_catalog.pg_attribute as e on e.attrelid = c.oid and e.attname = f.encrypted_column and not e.attisdropped
             where s.nspname = f.table_schema
            union all
            select named.relation, named.plain, named.sealed, t.typbasetype, case when named.modifier = -1 then t.typtypmod else named.modifier end
              from named join pg_catalog.pg_type as t on t.oid = named.type_oid and t.typtype = 'd'
          )
          select named.*, t.typname as type_name
            from named join pg_catalog.pg_type as t on t.oid = named.type_oid and t.typtype <> 'd'
        ) as o on true
       where f.tenant_id = tenant and (f.phase not in ('planned', 'added') or (f.phase = 'added' and f.direction = 'out'))
         and (o.relation is not null or exists (
               select from pg_catalog.pg_trigger as g
                where not g.tgisinternal and position(pg_catalog.convert_to(f.field_id::text, 'UTF8') in g.tgargs) > 0))
    ), '[]'));
  perform pg_catalog.set_config('safekeep.tenant', before, true);
  return known;
end
$$;
