-- needs: 0001
-- object: function safekeep.hmac_sha256(bytea, bytea)
--
-- RFC 2104 with SHA-256, from pgcrypto wherever that lies.
do $make$
begin
  execute pg_catalog.format($sql$
    create or replace function safekeep.hmac_sha256(message bytea, key bytea) returns bytea
      language sql immutable strict parallel safe
      as $$ select %I.hmac(message, key, 'sha256') $$ $sql$,
    (select n.nspname from pg_catalog.pg_extension as e join pg_catalog.pg_namespace as n on n.oid = e.extnamespace where e.extname = 'pgcrypto'));
end
$make$;
