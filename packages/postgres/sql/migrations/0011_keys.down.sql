-- Without its keys nothing that was sealed opens again.
do $$
begin
  if exists (select from safekeep.encryption_keys where state <> 'shredded' and key_purpose <> 'index') then
    raise exception 'There are keys in this database. Decrypt what is sealed under them first: "safekeep keys census" tells where it stands.';
  end if;
end
$$;
drop table safekeep.encryption_shred_queue, safekeep.encryption_audit_log, safekeep.encryption_keys, safekeep.encryption_epochs;
