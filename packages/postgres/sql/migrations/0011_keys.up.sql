-- keys: filled by its capability.
select 1;
