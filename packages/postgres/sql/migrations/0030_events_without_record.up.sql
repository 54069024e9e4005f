-- Events that name no row: what is said of a whole table (TRUNCATE, baselines, what erasures forgot), and of rows of erased people by their mark.
-- An erasure looks up what the log says of the rows it is about to change; without this it would read all events for it.
create index audit_events_unnamed on safekeep.audit_events (tenant_id, table_name, (details ->> 'row')) where record is null and table_name is not null;
