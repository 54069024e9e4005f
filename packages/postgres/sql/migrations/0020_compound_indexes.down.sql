do $$
begin
  if exists (select from safekeep.field_indexes where kind = 'compound') then
    raise exception 'safekeep: a field is searched together with others; take that search off first (safekeep encrypt COLUMN --with none)';
  end if;
end
$$;

alter table safekeep.field_indexes
  drop constraint field_indexes_parts_check,
  drop column parts,
  drop constraint field_indexes_kind_check,
  add constraint field_indexes_kind_check check (kind in ('exact', 'unique', 'last4', 'prefix', 'year', 'month', 'soundex'));
