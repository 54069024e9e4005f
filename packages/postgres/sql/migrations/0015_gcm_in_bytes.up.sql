-- What is unlocked is kept as bytes from here on: functions that took it as text are replaced by others of other arguments.
drop function if exists safekeep.sk1_seal(bytea, text, bytea, bytea, bytea, integer);
drop function if exists safekeep.sk1_open(bytea, text, bytea, integer);
drop function if exists safekeep.gcm_tag(text, bytea, integer, bytea);
drop function if exists safekeep.gcm_prepare(bytea, bytea);
delete from safekeep.function_versions where object in (
  'function safekeep.sk1_seal(bytea, text, bytea, bytea, bytea, integer)', 'function safekeep.sk1_open(bytea, text, bytea, integer)',
  'function safekeep.gcm_tag(text, bytea, integer, bytea)', 'function safekeep.gcm_prepare(bytea, bytea)');
