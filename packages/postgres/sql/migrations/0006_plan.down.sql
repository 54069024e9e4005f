-- What was applied to the user's tables could not be taken out any more once this record is gone.
do $$
begin
  if exists (select from safekeep.applied_objects) then
    raise exception 'Safekeep still stands in this database. Run "safekeep unapply" first.';
  end if;
end
$$;
drop table safekeep.compliance_fields, safekeep.apply_baselines, safekeep.applied_columns, safekeep.applied_objects, safekeep.apply_steps, safekeep.apply_runs;
