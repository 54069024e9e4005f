do $$
begin
  if exists (select from safekeep.field_indexes where kind = 'unique' or state <> 'serving') then
    raise exception 'safekeep: a field is kept unique by a hash, or has an index that is being made or taken away; take those searches off first';
  end if;
end
$$;

alter table safekeep.field_indexes
  drop column changed_at,
  drop column state,
  drop constraint field_indexes_kind_check,
  drop constraint field_indexes_bits_check,
  add constraint field_indexes_kind_check check (kind in ('exact', 'last4', 'prefix', 'year', 'month', 'soundex')),
  add constraint field_indexes_bits_check check (bits between 1 and 64);
