-- Facts about the server and the session that bear on what the rest of the catalogue means.
select
  current_setting('server_version_num')::int4 as "versionNumber",
  current_setting('server_version') as "version",
  current_database()::text as "database",
  pg_encoding_to_char(d.encoding)::text as "encoding",
  d.datcollate::text as "collation",
  current_user::text as "user",
  r.rolsuper as "superuser",
  r.rolbypassrls as "bypassesRowSecurity",
  pg_is_in_recovery() as "standby",
  to_char(transaction_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "readAt"
from pg_database d
join pg_roles r on r.rolname = current_user
where d.datname = current_database()
