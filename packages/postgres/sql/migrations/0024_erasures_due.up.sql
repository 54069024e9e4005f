-- What a duty keeps of an erased person is to be erased when the duty ends, which nobody remembers by themselves.

alter table safekeep.erasure_plans
  -- When the first of the rows that a duty keeps need not be kept any more; null where none is, or nobody knows.
  add column due_at timestamptz;

alter table safekeep.erasures
  add column due_at timestamptz,
  drop constraint erasures_state_check,
  -- kept: at its end but for rows that a duty keeps until due_at; to be planned and approved again then.
  add constraint erasures_state_check
    check (state in ('running', 'committed', 'held', 'due', 'outside', 'kept', 'done', 'unfulfilled')),
  add constraint erasures_kept_check check (state <> 'kept' or due_at is not null);
create index erasures_due on safekeep.erasures (tenant_id, due_at) where state = 'kept';
