-- needs: 0001
-- object: function safekeep.aes_blocks(bytea, bytea)
--
-- AES-256 of each 16-byte block by itself: the one primitive that Galois/counter mode (NIST SP 800-38D) is built from. pgcrypto
-- may have been installed by the user in a schema of theirs, so its place is looked up when this is made. Without SET, so that
-- PostgreSQL puts it in line.
do $make$
begin
  execute pg_catalog.format($sql$
    create or replace function safekeep.aes_blocks(blocks bytea, key bytea) returns bytea
      language sql immutable strict parallel safe
      as $$ select %I.encrypt(blocks, key, 'aes-ecb/pad:none') $$ $sql$,
    (select n.nspname from pg_catalog.pg_extension as e join pg_catalog.pg_namespace as n on n.oid = e.extnamespace where e.extname = 'pgcrypto'));
end
$make$;
