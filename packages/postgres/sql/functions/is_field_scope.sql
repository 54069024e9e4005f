-- needs: 0023
-- object: function safekeep.is_field_scope(text, text, text)
--
-- Whether a key of this purpose and scope is of an encrypted field of the tenant: the data key of its values, or one of its indexes.
-- Called by functions of the owner only, who sees every tenant.
create or replace function safekeep.is_field_scope(tenant text, purpose text, asked text) returns boolean
  language sql stable
  set search_path = pg_catalog, pg_temp
  as $$
    select exists (
      select from safekeep.fields as f
       where f.tenant_id = tenant
         and (asked = f.key_scope or (purpose = 'index' and pg_catalog.starts_with(asked, f.key_scope || '.index.'))))
  $$;
revoke all on function safekeep.is_field_scope(text, text, text) from public;
