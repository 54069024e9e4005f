drop table safekeep.import_quarantine;
drop table safekeep.import_tables;
drop table safekeep.import_runs;
