drop table safekeep.field_indexes;
drop table safekeep.fields;
