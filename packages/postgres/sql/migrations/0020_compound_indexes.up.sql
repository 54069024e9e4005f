-- Blind indexes over several columns of a table: rows in which all of them are what is looked for. And what of a card number may be
-- shown, in columns beside its ciphertext.

alter table safekeep.field_indexes
  -- The fields that a compound index is made of, in their order; the one that has it comes first.
  add column parts uuid[],
  drop constraint field_indexes_kind_check,
  add constraint field_indexes_kind_check check (kind in ('exact', 'unique', 'last4', 'prefix', 'year', 'month', 'soundex', 'compound', 'card_bin', 'card_last4')),
  drop constraint field_indexes_bits_check,
  add constraint field_indexes_bits_check check (case when kind = 'unique' then bits = 256 when kind in ('card_bin', 'card_last4') then bits = 0
                                                  else bits between 1 and 63 end),
  add constraint field_indexes_parts_check check (case when kind = 'compound' then coalesce(pg_catalog.cardinality(parts), 0) between 2 and 5
                                                   and parts[1] = field_id and pg_catalog.array_position(parts, null) is null
                                                 else parts is null end);
