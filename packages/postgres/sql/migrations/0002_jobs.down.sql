-- Schema safekeep_jobs belongs to pg-boss and stays; a worker drops what it still finds queued there without a row here.
drop table safekeep.job_schedules;
drop table safekeep.jobs;
