drop table safekeep.structure_looks, safekeep.structure_notes;
alter table safekeep.text_findings drop column feed_era, drop column feed_index;
