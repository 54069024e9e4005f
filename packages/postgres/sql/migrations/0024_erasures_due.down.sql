-- What is still to be erased when a duty ends would be forgotten, and with it a person's right.
do $$
begin
  if exists (select from safekeep.erasures where state = 'kept') then
    raise exception 'Erasures wait for the end of a duty. "safekeep subject erasures --open" names them.';
  end if;
end
$$;
drop index safekeep.erasures_due;
alter table safekeep.erasures
  drop constraint erasures_kept_check,
  drop constraint erasures_state_check,
  add constraint erasures_state_check
    check (state in ('running', 'committed', 'held', 'due', 'outside', 'done', 'unfulfilled')),
  drop column due_at;
alter table safekeep.erasure_plans
  drop column due_at;
