-- The ledger names the holds that keep something of an erasure: in a copy of the database that does not know them, what they held is not erased.
alter table safekeep.erasure_plans add column holds uuid[] not null default '{}';
