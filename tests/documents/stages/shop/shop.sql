-- A record shop that was moved from SQLite and kept its names.
create table employees ("Employee Id" integer primary key, "Full Name" text not null, "Reports To" integer references employees ("Employee Id"));
create table customers (
  id integer primary key, "First Name" text not null, email text, phone text, company text, "Support Rep" integer references employees ("Employee Id")
);
create table "Invoices" (invoice_id integer primary key, customer_id integer not null references customers (id), branch text not null, day date not null);
create table "Invoice Lines" (line_id integer primary key, invoice_id integer not null references "Invoices" (invoice_id), title text not null);
create table complaints (id integer primary key, customer_id integer not null references customers (id), body text not null);

insert into employees select n, 'Employee ' || n, case when n > 1 then 1 end from generate_series(1, 5) as n;
insert into customers
  select n, 'Customer ' || n, 'customer' || n || '@example.org', '(212) 555-0' || (100 + n), case when n % 9 = 0 then 'Records & Co' end, 1 + n % 5
    from generate_series(1, 60) as n;
insert into "Invoices" select n, 1 + n % 60, 'north', date '2025-01-02' + n from generate_series(1, 200) as n;
insert into "Invoice Lines" select n, 1 + n % 200, 'Record ' || n from generate_series(1, 400) as n;
insert into complaints select n, n, 'The record is scratched.' from generate_series(1, 12) as n;
analyze;
