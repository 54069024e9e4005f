-- needs: 0006
-- object: function safekeep.keep_version()
--
-- BEFORE UPDATE of a table that carries the compliance fields as columns: counts the version, and says who changed the row.
-- Runs with the rights of whoever writes: it touches nothing but the row.
create or replace function safekeep.keep_version() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
  as $$
  begin
    new.version := coalesce(old.version, 0) + 1;
    new.last_modified_by_id := nullif(pg_catalog.current_setting('safekeep.actor', true), '');
    return new;
  end;
  $$;
