-- Whoever may write to safekeep.erasures could have the home sign, or go on with, what nobody approved.
alter table safekeep.erasures
  -- Over what stands here of plan, person, progress and certificate, by the key of the ledger, which never is in the database. Null in what
  -- was written before.
  add column tag text check (tag ~ '^[0-9a-f]{64}$'),
  -- Who ended it without erasing what was left, and why.
  add column decision jsonb;
