-- needs: 0010
-- object: function safekeep.create_next_month_audit_partitions()
--
-- Makes the partitions of audit_events that are missing, from this month to three months ahead, and answers their names. Runs on
-- schedule; repeating it changes nothing. There is no default partition: events that fell into it could not be dropped by month.
create or replace function safekeep.create_next_month_audit_partitions() returns text[]
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set timezone = 'UTC'
  as $$
declare
  made text[] := '{}';
  name text;
begin
  for ahead in 0..3 loop
    name := safekeep.make_audit_partition((pg_catalog.date_trunc('month', pg_catalog.now()) + ahead * interval '1 month')::pg_catalog.date);
    if name is not null then made := made || name; end if;
  end loop;
  return made;
end
$$;
revoke execute on function safekeep.create_next_month_audit_partitions() from public;
do $$
begin
  if to_regrole('safekeep_app') is null then return; end if;
  grant execute on function safekeep.create_next_month_audit_partitions() to safekeep_app, safekeep_ingest;
end
$$;
