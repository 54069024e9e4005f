drop table safekeep.datamap_versions;
