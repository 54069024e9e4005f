-- needs: 0013
-- object: procedure safekeep.migrate_plaintext_to_encrypted_in_batches(text, text, text, text, bytea, integer)
--
-- The same for tables of any size: commits after each batch, and goes on where it was when it is called again. `wrapped` is what
-- safekeep.unlock takes, as a bound parameter: keys last for a transaction, so every batch unlocks anew. Outside of a transaction
-- of the caller's only. Rows that others hold all the while are left and told; another call takes them.
create or replace procedure safekeep.migrate_plaintext_to_encrypted_in_batches(
    "table" text, "column" text, target text, key text, wrapped bytea, batch_rows integer default 5000)
  language plpgsql
  as $$
declare
  tenant constant text := pg_catalog.current_setting('safekeep.tenant', true);
  named text;
  waiting bigint;
begin
  select pg_catalog.format('%I.%I', n.nspname, c.relname) into named
    from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid operator(pg_catalog.=) c.relnamespace
   where c.oid operator(pg_catalog.=) "table"::pg_catalog.regclass::pg_catalog.oid;
  if batch_rows not between 1 and 100000 then
    raise exception 'safekeep: a batch has 1 to 100000 rows' using errcode = 'invalid_parameter_value';
  end if;
  loop
    perform pg_catalog.set_config('safekeep.tenant', coalesce(tenant, ''), true), safekeep.unlock(wrapped);
    exit when safekeep.seal_rows(named, "column", target, key, batch_rows) = 0;
    commit;
  end loop;
  execute pg_catalog.format('select pg_catalog.count(*) from %s where %I is not null and %I is null',
                            named, "column", target) into waiting;
  if waiting > 0 then
    raise warning 'safekeep: % rows were held by others and are not sealed yet; call the procedure again', waiting;
  end if;
  commit;
end
$$;
