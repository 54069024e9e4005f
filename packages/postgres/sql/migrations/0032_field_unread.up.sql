-- Between `switched` and `nulled` a field stands in `unread`: clients are told that the plaintext is about to go, and are waited for.
alter table safekeep.fields drop constraint fields_phase_check;
alter table safekeep.fields add constraint fields_phase_check check (phase in
  ('planned', 'added', 'dual-write', 'backfilling', 'verified', 'switched', 'unread', 'nulled', 'checked', 'finished'));
