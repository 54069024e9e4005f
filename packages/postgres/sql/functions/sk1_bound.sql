-- needs: 0001
-- object: function safekeep.sk1_bound(bytea, text, uuid)
--
-- What a value of a field is bound to (packages/crypto/SPEC.md): domain, header, tenant, field.
create or replace function safekeep.sk1_bound(header bytea, tenant text, field uuid) returns bytea
  language sql immutable strict parallel safe
  as $$
    select '\x736166656b6565702f31'::bytea || header || int4send(octet_length(convert_to(tenant, 'UTF8'))) || convert_to(tenant, 'UTF8') || uuid_send(field)
  $$;
