update safekeep.fields set phase = 'switched' where phase = 'unread';
alter table safekeep.fields drop constraint fields_phase_check;
alter table safekeep.fields add constraint fields_phase_check check (phase in
  ('planned', 'added', 'dual-write', 'backfilling', 'verified', 'switched', 'nulled', 'checked', 'finished'));
