-- Plans that stand go back to being of whoever is named: they are made anew within a minute.
delete from safekeep.erasure_plans where planned_proof is not null;
alter table safekeep.erasure_plans
  drop column planned_proof;
