-- Without this record nobody could know any more what must not be destroyed.
do $$
begin
  if exists (select from safekeep.standing_holds) then
    raise exception 'Holds stand in this database. Release them first: "safekeep hold list" names them.';
  end if;
end
$$;
drop view safekeep.standing_holds;
drop table safekeep.hold_releases, safekeep.hold_reviews, safekeep.hold_rows, safekeep.holds;
