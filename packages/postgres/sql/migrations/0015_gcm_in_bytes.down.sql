-- An older Safekeep makes its own functions again; those of now go with the migration that they rest on.
select 1;
