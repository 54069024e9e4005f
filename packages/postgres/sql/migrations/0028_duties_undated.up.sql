-- A duty is remembered whatever state the erasure that kept for it is in, and also while the column of its date is empty.
alter table safekeep.erasures
  -- A duty keeps a row whose date nobody has filled in yet. It is looked at again.
  add column is_undated boolean not null default false,
  drop constraint erasures_kept_check,
  drop constraint erasures_check,
  add constraint erasures_kept_check check (state <> 'kept' or due_at is not null or is_undated),
  -- Null once nothing is left to be done; what is unfulfilled is, as long as a duty goes on.
  add constraint erasures_subject_key_check
    check (case state when 'done' then subject_key is null when 'unfulfilled' then true else subject_key is not null end);
drop index safekeep.erasures_due;
create index erasures_due on safekeep.erasures (tenant_id, due_at) where due_at is not null and subject_key is not null;
create index erasures_undated on safekeep.erasures (tenant_id, erasure_id) where is_undated and subject_key is not null;
