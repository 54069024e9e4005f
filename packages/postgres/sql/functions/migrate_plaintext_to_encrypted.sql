-- needs: 0013
-- object: function safekeep.migrate_plaintext_to_encrypted(text, text, text, text)
--
-- Seals all values of a column into another, with their blind indexes, in the caller's transaction: for up to 100,000 rows.
-- Answers how many; rows that others hold are left for the next call. The plaintext stays, until `safekeep encrypt finish`.
--
-- Without SET search_path, so that the table is found where the caller finds it; all else is named in full.
create or replace function safekeep.migrate_plaintext_to_encrypted("table" text, "column" text, target text, key text) returns bigint
  language plpgsql volatile parallel unsafe
  as $$
declare
  -- One transaction holds the locks of all rows it wrote until its end.
  at_most constant bigint := 100000;
  named text;
  waiting bigint;
begin
  select pg_catalog.format('%I.%I', n.nspname, c.relname) into named
    from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid operator(pg_catalog.=) c.relnamespace
   where c.oid operator(pg_catalog.=) "table"::pg_catalog.regclass::pg_catalog.oid;
  -- Of no row: says first what is wrong with column, target or key, of which the rest would raise what nobody understands.
  perform safekeep.seal_rows(named, "column", target, key, 0);
  execute pg_catalog.format('select pg_catalog.count(*) from (select from %s where %I is not null and %I is null limit %s) as waiting',
                            named, "column", target, at_most operator(pg_catalog.+) 1::bigint) into waiting;
  if waiting operator(pg_catalog.>) at_most then
    raise exception 'safekeep: % has more than % rows to seal, too many for one transaction', named, at_most
      using errcode = 'program_limit_exceeded', hint = 'CALL safekeep.migrate_plaintext_to_encrypted_in_batches(…), which commits, or use safekeep encrypt.';
  end if;
  return safekeep.seal_rows(named, "column", target, key, at_most);
end
$$;
