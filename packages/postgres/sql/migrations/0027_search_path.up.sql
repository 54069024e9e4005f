-- Where search_path does not name pg_temp, types are looked for there first (manual, search_path), and a domain in it runs the code of
-- whoever made it. Functions of files say it in their files; these two stand in migrations.
create or replace function safekeep.current_tenant() returns text
  language sql stable parallel safe
  set search_path = pg_catalog, pg_temp
  as $$ select nullif(current_setting('safekeep.tenant', true), '') $$;

create or replace function safekeep.make_audit_partition(month date) returns text
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
  set timezone = 'UTC'
  as $$
declare
  first constant date := pg_catalog.date_trunc('month', month)::date;
  name constant text := 'audit_events_' || pg_catalog.to_char(first, 'YYYY_MM');
begin
  if pg_catalog.to_regclass('safekeep.' || name) is not null then return null; end if;
  execute pg_catalog.format('create table safekeep.%I partition of safekeep.audit_events for values from (%L) to (%L)',
    name, first::timestamptz, (first + interval '1 month')::timestamptz);
  execute pg_catalog.format('alter table safekeep.%I enable row level security', name);
  execute pg_catalog.format('create policy tenant_isolation on safekeep.%I using (tenant_id = safekeep.current_tenant()) with check (tenant_id = safekeep.current_tenant())', name);
  return name;
end
$$;
revoke execute on function safekeep.make_audit_partition(date) from public;
