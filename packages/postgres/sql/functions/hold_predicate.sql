-- needs: 0007
-- object: function safekeep.hold_predicate(jsonb, regclass, boolean, text[])
--
-- Makes SQL of the condition of a hold. Names of columns are those of the table's catalogue, quoted; operators are those
-- listed here; values never become text of the statement: they are appended to `operands`, which the statement takes as $1.
-- So whatever stands in the condition, it cannot become SQL. With `from_json` the columns are read from a row given as $2.
create or replace function safekeep.hold_predicate(
    condition jsonb, relation regclass, from_json boolean, inout operands text[], out predicate text)
  language plpgsql stable
  set search_path = pg_catalog, pg_temp
  as $$
declare
  comparison constant text := condition ->> 'is';
  list constant jsonb := coalesce(condition -> 'all', condition -> 'any');
  subject text;
  value_type text;
  part jsonb;
  part_predicate text;
  parts text[] := '{}';
begin
  if list is not null then
    if pg_catalog.jsonb_typeof(list) <> 'array' or pg_catalog.jsonb_array_length(list) = 0 then
      raise exception 'A hold''s condition is broken.' using errcode = 'invalid_parameter_value';
    end if;
    for part in select item from pg_catalog.jsonb_array_elements(list) as items (item) loop
      select made.operands, made.predicate into operands, part_predicate
        from safekeep.hold_predicate(part, relation, from_json, operands) as made;
      parts := parts || part_predicate;
    end loop;
    predicate := '(' || pg_catalog.array_to_string(parts, case when condition ? 'all' then ' and ' else ' or ' end) || ')';
    return;
  end if;

  -- With -1 the type has no length: a value is not cut to fit before it is compared.
  -- Only types whose operators are PostgreSQL's own: others would be looked up by a path that the caller chooses.
  select pg_catalog.format_type(a.atttypid, -1) into value_type
    from pg_catalog.pg_attribute as a
    join pg_catalog.pg_type as t on t.oid = a.atttypid
    join pg_catalog.pg_type as base on base.oid = case t.typtype when 'd' then t.typbasetype else t.oid end
   where a.attrelid = relation and a.attname = condition ->> 'column' and a.attnum > 0 and not a.attisdropped
     and (base.typtype = 'e' or base.typtype = 'b' and base.typnamespace = 'pg_catalog'::pg_catalog.regnamespace)
     and base.typcategory <> 'A';
  if value_type is null then
    raise exception 'A hold''s condition names a column that is not there or that cannot be compared.' using errcode = 'undefined_column';
  end if;
  subject := case when from_json
    then pg_catalog.format('($2 operator(pg_catalog.->>) %L)::%s', condition ->> 'column', value_type)
    else pg_catalog.format('%I', condition ->> 'column') end;

  case
    when comparison in ('null', 'not null') then
      predicate := pg_catalog.format('(%s is %s)', subject, comparison);
    when comparison in ('=', '<', '<=', '>', '>=') and pg_catalog.jsonb_typeof(condition -> 'value') = 'string' then
      operands := operands || (condition ->> 'value');
      predicate := pg_catalog.format('(%s operator(pg_catalog.%s) ($1::pg_catalog.text[])[%s]::%s)',
        subject, comparison, pg_catalog.cardinality(operands), value_type);
    when comparison = '<>' and pg_catalog.jsonb_typeof(condition -> 'value') = 'string' then
      -- What is unknown is not equal: in doubt a row is held.
      operands := operands || (condition ->> 'value');
      predicate := pg_catalog.format('(%1$s is null or %1$s operator(pg_catalog.<>) ($1::pg_catalog.text[])[%2$s]::%3$s)',
        subject, pg_catalog.cardinality(operands), value_type);
    when comparison in ('like', 'ilike') and pg_catalog.jsonb_typeof(condition -> 'value') = 'string' then
      operands := operands || (condition ->> 'value');
      predicate := pg_catalog.format('((%s)::pg_catalog.text operator(pg_catalog.%s) ($1::pg_catalog.text[])[%s])',
        subject, case comparison when 'like' then '~~' else '~~*' end, pg_catalog.cardinality(operands));
    when comparison = 'in' and pg_catalog.jsonb_typeof(condition -> 'values') = 'array' then
      predicate := pg_catalog.format('(%s operator(pg_catalog.=) any ((($1::pg_catalog.text[])[%s:%s])::%s[]))', subject,
        pg_catalog.cardinality(operands) + 1,
        pg_catalog.cardinality(operands) + pg_catalog.jsonb_array_length(condition -> 'values'), value_type);
      operands := operands || array(select pg_catalog.jsonb_array_elements_text(condition -> 'values'));
    else
      raise exception 'A hold''s condition is broken.' using errcode = 'invalid_parameter_value';
  end case;
end
$$;
