drop table safekeep.import_changes;
drop table safekeep.import_follows;
