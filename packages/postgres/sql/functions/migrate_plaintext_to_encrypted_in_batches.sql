-- needs: 0013
-- object: procedure safekeep.migrate_plaintext_to_encrypted_in_batches(text, text, text, text, bytea, integer)
--
-- The same for tables of any size: commits after each batch, and goes on where it was when it is called again. `wrapped` is what
-- safekeep.unlock takes, as a bound parameter: keys last for a transaction, so every batch unlocks anew. Outside of a transaction
-- of the caller's only.
create or replace procedure safekeep.migrate_plaintext_to_encrypted_in_batches(
    "table" text, "column" text, target text, key text, wrapped bytea, batch_rows integer default 5000)
  language plpgsql
  as $$
declare
  tenant constant text := pg_catalog.current_setting('safekeep.tenant', true);
  written bigint;
begin
  if batch_rows not between 1 and 100000 then
    raise exception 'safekeep: a batch has 1 to 100000 rows' using errcode = 'invalid_parameter_value';
  end if;
  loop
    perform pg_catalog.set_config('safekeep.tenant', coalesce(tenant, ''), true), safekeep.unlock(wrapped);
    written := safekeep.seal_rows("table", "column", target, key, batch_rows);
    commit;
    exit when written < batch_rows;
  end loop;
end
$$;
