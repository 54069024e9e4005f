drop table safekeep.audit_baseline_marks;
drop table safekeep.audit_baselines;
