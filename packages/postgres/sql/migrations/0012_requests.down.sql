-- An erasure that is not finished would be forgotten, and with it a person's right.
do $$
begin
  if exists (select from safekeep.erasures where subject_key is not null) then
    raise exception 'Erasures are not finished. "safekeep subject erasures" names them.';
  end if;
end
$$;
drop table safekeep.canary_runs, safekeep.erasure_calls, safekeep.erasures, safekeep.erasure_plans;
