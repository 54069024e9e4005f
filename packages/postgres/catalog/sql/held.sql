-- Tables that another session holds, or is about to hold, so that nobody else may even look at them, and every view over them: to
-- print a view takes a lock on all that it reads. A lock on an index counts for its table.
with recursive held (oid) as (
  select coalesce(i.indrelid, c.oid)
  from pg_locks l
  join pg_database d on d.oid = l.database and d.datname = current_database()
  join pg_class c on c.oid = l.relation
  left join pg_index i on i.indexrelid = c.oid
  where l.mode = 'AccessExclusiveLock' and l.pid <> pg_backend_pid() and c.relkind in ('r', 'p', 'v', 'm', 'f', 'i', 'I')
  union
  select r.ev_class
  from held
  join pg_depend x on x.refclassid = 'pg_class'::regclass and x.refobjid = held.oid and x.classid = 'pg_rewrite'::regclass
  join pg_rewrite r on r.oid = x.objid
)
select oid from held
