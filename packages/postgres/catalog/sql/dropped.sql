-- $1 oid[]: tables that the snapshot shows. Which of them have been dropped since: what hangs on them may have been read in part.
-- pg_relation_size locks each for an instant, and so sees the newest state; it answers null for what is not there.
select t.oid
from unnest($1::oid[]) as t (oid)
where pg_relation_size(t.oid) is null
