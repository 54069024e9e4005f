-- needs: 0010
-- object: function safekeep.actor_message(text, text, text, integer, timestamptz)
--
-- What the proof of an actor is an HMAC over, as packages/crypto/actor-proof.ts has it: who acts, why, for which request, on which
-- backend, in the transaction that began then.
create or replace function safekeep.actor_message(actor text, purpose text, request text, backend integer, began timestamptz) returns bytea
  language sql stable parallel safe
  set search_path = pg_catalog, pg_temp
  as $$
    select pg_catalog.convert_to('safekeep actor 1' || E'\n' || pg_catalog.string_agg(
             pg_catalog.octet_length(pg_catalog.convert_to(field.text, 'UTF8')) || ':' || field.text || E'\n', '' order by field.place), 'UTF8')
      from pg_catalog.unnest(array[coalesce(actor, ''), coalesce(purpose, ''), coalesce(request, ''), backend::text,
             ((extract(epoch from began) * 1000000)::bigint)::text]) with ordinality as field (text, place);
  $$;
