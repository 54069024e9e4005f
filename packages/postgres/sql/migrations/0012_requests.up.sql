-- requests: filled by its capability.
select 1;
