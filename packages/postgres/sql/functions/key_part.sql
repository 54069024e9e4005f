-- needs: 0007
-- object: function safekeep.key_part(text)
--
-- One column of a key, as it stands in the text of the whole key: parts are joined by a comma, so a comma within one is
-- written \, and a backslash \\. Without SET, so that PostgreSQL puts it in line: it runs once for every row of a table.
create or replace function safekeep.key_part(part text) returns text
  language sql immutable strict parallel safe
  as $$ select pg_catalog.replace(pg_catalog.replace(part, '\', '\\'), ',', '\,') $$;
