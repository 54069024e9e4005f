-- 50,000 people. The twenty commonest surnames are as common as in the United States (Census Bureau, 2010: per 100,000 people), those
-- behind them become rarer by a law of Zipf's kind, 12,000 in all. Postcodes are of some 2,600 places, the largest with 2 % of the
-- people. Nobody is anybody.
create table people (id integer primary key, surname text not null, postcode text not null, birthdate date not null);
with commonest (rank, name, share) as (values
  (1, 'Smith', 828.2), (2, 'Johnson', 655.2), (3, 'Williams', 551.0), (4, 'Brown', 487.2), (5, 'Jones', 483.2), (6, 'Garcia', 395.3),
  (7, 'Miller', 393.7), (8, 'Davis', 378.5), (9, 'Rodriguez', 371.2), (10, 'Martinez', 359.4), (11, 'Hernandez', 353.7), (12, 'Lopez', 296.5),
  (13, 'Gonzalez', 285.1), (14, 'Wilson', 271.8), (15, 'Anderson', 265.9), (16, 'Thomas', 256.3), (17, 'Taylor', 254.7), (18, 'Moore', 245.6),
  (19, 'Jackson', 240.1), (20, 'Martin', 238.2)),
names as (
  select rank, name, share from commonest
  union all select k, 'Name' || k, 238.2 * pow(20.0 / k, 0.7) from generate_series(21, 12000) as k),
owners as (
  select name, row_number() over (order by rank, n) as place
    from names, generate_series(1, round(share * 0.5)::integer) as n),
towns as (
  select lpad((10000 + k * 29)::text, 5, '0') as postcode, row_number() over (order by k, n) as place
    from generate_series(1, 3000) as k, generate_series(1, greatest(1, round(1000 / pow(k, 0.62)))::integer) as n)
insert into people
  select n, coalesce(o.name, 'Own' || n), coalesce(t.postcode, '99' || lpad((n % 500)::text, 3, '0')), date '1930-01-01' + (n * 7919) % 28000
    from generate_series(1, 50000) as n
    left join owners o on o.place = n
    left join towns t on t.place = (n::bigint * 17389) % 50000 + 1;
analyze people;
