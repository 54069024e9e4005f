-- needs: 0013
-- object: function safekeep.migrate_plaintext_to_encrypted(text, text, text, text)
--
-- Seals all values of a column into another, in the caller's transaction: for tables up to 100,000 rows. Answers how many. The
-- plaintext stays, until `safekeep encrypt finish`.
create or replace function safekeep.migrate_plaintext_to_encrypted("table" text, "column" text, target text, key text) returns bigint
  language plpgsql volatile parallel unsafe
  set search_path = ''
  as $$
declare
  -- One transaction holds the locks of all rows it wrote until its end.
  at_most constant bigint := 100000;
  waiting bigint;
begin
  execute pg_catalog.format('select count(*) from (select from only %s where %I is not null and %I is null limit %s) as some',
                            "table"::pg_catalog.regclass, "column", target, at_most + 1) into waiting;
  if waiting > at_most then
    raise exception 'safekeep: % has more than % rows to seal, too many for one transaction', "table", at_most
      using errcode = 'program_limit_exceeded', hint = 'CALL safekeep.migrate_plaintext_to_encrypted_in_batches(…), which commits, or use safekeep encrypt.';
  end if;
  return safekeep.seal_rows("table", "column", target, key, at_most);
end
$$;
