-- A new epoch writes every key anew. With half of each page left free that stays within the page: neither index is touched, and the
-- next roll takes back what this one left. What lies there already moves to such pages with its next epoch.
alter table safekeep.encryption_keys set (fillfactor = 45);
