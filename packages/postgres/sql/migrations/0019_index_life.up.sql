-- Blind indexes get a life of their own: one can be added to a field that is encrypted already, made anew, and taken away; and the
-- whole hash can be kept, for UNIQUE.

alter table safekeep.field_indexes
  drop constraint field_indexes_kind_check,
  drop constraint field_indexes_bits_check,
  add constraint field_indexes_kind_check check (kind in ('exact', 'unique', 'last4', 'prefix', 'year', 'month', 'soundex')),
  add constraint field_indexes_bits_check check (case when kind = 'unique' then bits = 256 else bits between 1 and 63 end),
  -- building: written, not searched · serving · leaving: still written, since clients search by it for a minute · left: neither.
  add column state text not null default 'serving' check (state in ('building', 'serving', 'leaving', 'left')),
  add column changed_at timestamptz;

update safekeep.field_indexes set changed_at = created_at;
alter table safekeep.field_indexes alter column changed_at set not null;
