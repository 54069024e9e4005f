do $$
begin
  if exists (select from safekeep.field_indexes where kind in ('compound', 'card_bin', 'card_last4')) then
    raise exception 'safekeep: a field is searched together with others (safekeep encrypt COLUMN --with none takes that off), or is a card number (safekeep decrypt COLUMN)';
  end if;
end
$$;

alter table safekeep.field_indexes
  drop constraint field_indexes_parts_check,
  drop column parts,
  drop constraint field_indexes_kind_check,
  add constraint field_indexes_kind_check check (kind in ('exact', 'unique', 'last4', 'prefix', 'year', 'month', 'soundex')),
  drop constraint field_indexes_bits_check,
  add constraint field_indexes_bits_check check (case when kind = 'unique' then bits = 256 else bits between 1 and 63 end);
