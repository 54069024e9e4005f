-- What is still to be erased when a duty ends would be forgotten, and with it a person's right.
do $$
begin
  if exists (select from safekeep.erasures
              where (state = 'kept' and due_at is null) or (state = 'unfulfilled' and subject_key is not null)) then
    raise exception 'Erasures wait for the end of a duty. "safekeep subject erasures --open" names them.';
  end if;
end
$$;
drop index safekeep.erasures_undated;
drop index safekeep.erasures_due;
create index erasures_due on safekeep.erasures (tenant_id, due_at) where state = 'kept';
alter table safekeep.erasures
  drop constraint erasures_subject_key_check,
  drop constraint erasures_kept_check,
  add constraint erasures_kept_check check (state <> 'kept' or due_at is not null),
  add constraint erasures_check check (state in ('done', 'unfulfilled') = (subject_key is null)),
  drop column is_undated;
