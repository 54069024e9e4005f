alter table safekeep.encryption_keys reset (fillfactor);
