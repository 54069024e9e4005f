-- needs: 0010
-- object: function safekeep.note_plaintext_back(text, text, text[])
--
-- Says in the log of every tenant that captures this table that columns of it have their plaintext back: what the log has of them is
-- ciphertext that nobody can hold against it any more. In the transaction that ends the ciphertext, whose lock keeps writers out.
create or replace function safekeep.note_plaintext_back(of_schema text, of_table text, columns text[]) returns void
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
  as $$
begin
  insert into safekeep.audit_inbox_even (tenant_id, xid, order_no, at, kind, action, table_name, actor, purpose, request, proof,
      backend, began, login, application, own)
    select c.tenant_id, pg_catalog.pg_current_xact_id(), pg_catalog.nextval('safekeep.audit_order'), pg_catalog.clock_timestamp(),
      'change', 'decrypt', c.table_name, nullif(pg_catalog.current_setting('safekeep.actor', true), ''),
      nullif(pg_catalog.current_setting('safekeep.purpose', true), ''), nullif(pg_catalog.current_setting('safekeep.request', true), ''),
      nullif(pg_catalog.current_setting('safekeep.proof', true), ''), pg_catalog.pg_backend_pid(), pg_catalog.now(), session_user,
      pg_catalog.current_setting('application_name'),
      pg_catalog.jsonb_build_object('details', pg_catalog.jsonb_build_object('columns', pg_catalog.to_jsonb(columns)))
      from safekeep.audit_captures as c
     where c.definition ->> 'schema' = of_schema and c.definition ->> 'name' = of_table;
end
$$;
revoke execute on function safekeep.note_plaintext_back(text, text, text[]) from public;
