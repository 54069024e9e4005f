-- needs: 0001
-- object: function safekeep.is_track(text)
--
-- Whether a text is the content of a magnetic stripe, as isTrack() in packages/core/fields/card.ts knows it.
create or replace function safekeep.is_track(value text) returns boolean
  language sql immutable strict parallel safe
  set search_path = pg_catalog, pg_temp
  as $$
    select value collate "C" ~* 'B[0-9]{12,19}\^[^^]{2,26}\^[0-9]{4}' or value collate "C" ~ '(^|[^0-9])[0-9]{12,19}=[0-9]{7}'
  $$;
