import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type pg from 'pg';
import { readMapText } from '@safekeep/capabilities/datamap';
import { Secret, systemClock } from '@safekeep/core';
import { type Database, openDatabase, readCatalog } from '@safekeep/postgres';
import { testDatabase, testServers, type TestDatabase } from '@safekeep/postgres/testing';
import { splitName } from '../rules/words.ts';
import { beginReading, endReading } from '../store/reading.ts';
import { sampleTable } from '../store/sample.ts';
import { scanDatabase, type ScanOrder } from './scan.ts';

const ORDER: ScanOrder = { tenant: 'default', clock: systemClock, signal: new AbortController().signal };
const CANARY = 'Zebedee Quillfeather';

function found(
  columns: readonly { readonly column: string; readonly category: string; readonly decision: string }[],
): Record<string, string> {
  return Object.fromEntries(columns.map(({ column, category, decision }) => [column, decision === 'none' ? 'none' : category]));
}

/** A login that may do no more than this. */
async function withLogin(
  { pool, url, grants }: Pick<TestDatabase, 'pool' | 'url'> & { readonly grants: string },
  run: (database: Database) => Promise<void>,
): Promise<void> {
  const role = `scanner_${Math.trunc(Date.now() % 1e9)}`;
  await pool.query(
    `create role ${role} login password 'scan'; grant usage on schema public to ${role}; grant ${grants} to ${role}`,
  );
  const address = new URL(url.reveal());
  address.username = role;
  address.password = 'scan';
  const weak = await openDatabase(new Secret(address.href), { poolMax: 2 });
  try {
    await run(weak);
  } finally {
    await weak.close();
    await pool.query(`drop owned by ${role}; drop role ${role}`);
  }
}

for (const server of testServers()) {
  test(`on PostgreSQL ${server.name} what cannot be looked at is told by table, and the rest is judged all the same`, async (t) => {
    // Safekeep's schema stands there, and this login may not even use it.
    const { pool, url } = await testDatabase(t, { server, migrated: true });
    await pool.query(`
      create table people (id int primary key, full_name text, contact_way text);
      insert into people select n, '${CANARY} ' || n, 'someone' || n || '@example.org' from generate_series(1, 50) n;
      create table secret_people (id int primary key, email text);
      create table tenants_rows (id int primary key, owner_name text, wert text);
      insert into tenants_rows values (1, 'a', 'b');
      alter table tenants_rows enable row level security;
      create view over_secret as select * from secret_people;
      create view over_rows as select owner_name from tenants_rows;
`);
    const grants = 'select on people, tenants_rows, over_secret, over_rows';
    await withLogin({ pool, url, grants }, async (weak) => {
      const { columns, problems } = await scanDatabase(weak, ORDER);
      const told = Object.fromEntries(problems.map(({ table, code }) => [table, code]));
      assert.equal(told['public.secret_people'], 'no-right');
      assert.equal(told['public.tenants_rows'], 'row-security');
      const kinds = found(columns);
      assert.equal(kinds['public.secret_people.email'], 'user.contact.email');
      assert.equal(kinds['public.people.contact_way'], 'user.contact.email');
      assert.equal(columns.filter(({ table }) => table === 'public.over_secret').length, 2);
      assert.equal(columns.filter(({ table }) => table === 'public.over_rows').length, 1);
    });
  });
}

for (const server of testServers()) {
  test(`on PostgreSQL ${server.name} tables that are locked while the catalogue is read are told, and the rest is judged`, async (t) => {
    const { pool, url } = await testDatabase(t, { server });
    await pool.query(`
      create table people (id int primary key, contact_way text, born date, check (born < current_date));
      insert into people select n, 'someone' || n || '@example.org', date '1990-01-01' + n from generate_series(1, 50) n;
      create table visits (id int primary key, person int references people, email text, odd text, twice int generated always as (id * 2) stored,
        check (id > 0), exclude using btree (id with =));
      insert into visits select n, n, 'v' || n || '@example.org', 'x' from generate_series(1, 50) n;
      create index on visits (lower(email)) where id > 3;
      create rule quiet as on delete to visits where old.id < 0 do instead nothing;
      create function note() returns trigger language plpgsql as 'begin return new; end';
      create trigger note before update on visits for each row when (old.id > 1) execute function note();
      create function visit_count() returns bigint begin atomic select count(*) from visits; end;
      create view over_visits as select email from visits;
      create view over_view as select email from over_visits;
      create table watched (id int primary key);
      alter table watched enable row level security;
      create policy seen on watched using (id in (select id from visits));
      create table parts (id int) partition by range (id);
      create table parts_1 partition of parts for values from (1) to (10);
      do $$ begin execute format('alter database %I set lock_timeout = ''300ms''', current_database()); end $$;`);
    const impatient = await openDatabase(url, { poolMax: 2 });
    const holder = await pool.connect();
    await holder.query('begin; lock table visits, parts_1 in access exclusive mode');
    try {
      const { columns, problems } = await scanDatabase(impatient, ORDER);
      assert.deepEqual(
        problems.map(({ table, code }) => `${table} ${code}`),
        ['over_view', 'over_visits', 'parts_1', 'visits'].map((name) => `public.${name} locked`),
      );
      const kinds = found(columns);
      assert.equal(kinds['public.people.contact_way'], 'user.contact.email');
      assert.equal(kinds['public.visits.email'], 'user.contact.email');
      assert.match(
        columns.find(({ column }) => column === 'public.visits.person')?.evidence.join() ?? '',
        /refers to public\.people/,
      );
      await holder.query('rollback');
      assert.deepEqual((await scanDatabase(impatient, ORDER)).problems, []);
    } finally {
      await holder.query('rollback');
      holder.release();
      await impatient.close();
    }
  });
}

test('an amount that is called like the number of somebody is none, and the number stays one', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(`
    create table customers (id int primary key, full_name text, email text, tax_number numeric(11), vat_number text, member_no int generated always as (id + 5000) stored);
    create table invoices (id int primary key, customer_id int not null references customers, net numeric(10,2),
      vat numeric generated always as (net * 0.19) stored, tax_vat numeric(10,2), vat_id double precision generated always as (net * 0.07) stored);
    insert into customers (id, full_name, email, tax_number, vat_number) select n, 'Ada Quill', 'a' || n || '@example.org', 12345678900 + n, 'DE13669597' || n % 10 from generate_series(1, 30) n;
    insert into invoices (id, customer_id, net, tax_vat) select n, n, n * 113.7, n * 21.6 from generate_series(1, 30) n; analyze`);
  const kinds = found((await scanDatabase(database, ORDER)).columns);
  for (const amount of ['vat', 'tax_vat', 'vat_id']) assert.equal(kinds[`public.invoices.${amount}`], 'none', amount);
  for (const number of ['tax_number', 'vat_number', 'member_no'])
    assert.notEqual(kinds[`public.customers.${number}`], 'none', number);
});

test('a table that is locked, and one that takes too long, are told, and the transaction goes on', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(`create table locked_one (odd text); create view slow_one as select pg_sleep(60)::text as odd`);
  const holder = await pool.connect();
  const { tables } = await readCatalog(pool);
  await holder.query('begin; lock table locked_one in access exclusive mode');
  try {
    await database.withClient(async (client) => {
      await beginReading(client);
      const codes = [];
      for (const table of tables) {
        const sample = await sampleTable(client, table, { wishes: [{ column: 'odd', document: false }], seed: 1, timeoutMs: 100 });
        codes.push('code' in sample ? sample.code : 'read');
      }
      assert.ok(['locked', 'timeout'].includes(codes[0] ?? ''), codes.join());
      assert.equal(codes[1], 'timeout');
      assert.equal((await client.query('select 1 as one')).rows[0].one, 1);
      await assert.rejects(client.query('create table here (a int)'), /read-only/);
      await endReading(client);
    });
  } finally {
    await holder.query('rollback');
    holder.release();
  }
});

test('a way to reach somebody is looked at also where its table is named after a thing, and no row has said more yet', async (t) => {
  const { pool, database } = await testDatabase(t);
  await pool.query(`create table gift_codes (id int primary key, code text, email text);
    create table product_orders (id int primary key, email text, phone text);
    create table status_codes (id int primary key, email text)`);
  const { columns } = await scanDatabase(database, ORDER);
  const contacts = columns.filter(({ column }) => /email|phone/.test(column));
  assert.equal(contacts.length, 4);
  for (const { column, decision } of contacts) assert.notEqual(decision, 'none', column);
});

test('a table that is dropped while it is looked at is told, and the scan goes on', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(`
    create table a_first (id int primary key, odd text); insert into a_first values (1, 'x');
    create table b_gone (id int primary key, odd text); insert into b_gone values (1, 'x');
    create table c_last (id int primary key, odd text); insert into c_last select n, 'p' || n || '@example.org' from generate_series(1, 30) n;`);
  // Between two tables: the first was looked at, the second is gone before its turn.
  const late: Database = {
    ...database,
    withClient: (run) =>
      database.withClient((client) => run(before(client, 'b_gone', () => pool.query('drop table if exists b_gone')))),
  };
  const { columns, problems } = await scanDatabase(late, ORDER);
  assert.deepEqual(
    problems.map(({ table, code }) => [table, code]),
    [['public.b_gone', 'gone']],
  );
  assert.equal(found(columns)['public.c_last.odd'], 'user.contact.email');
});

/** The same connection, on which something happens before a statement that names this. */
function before(client: pg.PoolClient, name: string, happen: () => Promise<unknown>): pg.PoolClient {
  return new Proxy(client, {
    get: (target, key) => {
      const found: unknown = Reflect.get(target, key);
      if (typeof found !== 'function') return found;
      if (key !== 'query') return found.bind(target);
      return async (...args: readonly unknown[]): Promise<unknown> => {
        if (JSON.stringify(args[0]).includes(name)) await happen();
        return await Reflect.apply(found, target, args);
      };
    },
  });
}

test('values of 50 MB, broken documents and bytes are passed over in constant memory', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(`
    create table logs (id int primary key, user_id int, payload text, doc jsonb, halves json, raw bytea, labels text[]);
    insert into logs select n, n, null, jsonb_build_object('customer', jsonb_build_object('email', 'u' || n || '@example.org', 'first_name', 'Ann')), '{"a": 1}', decode('00ff', 'hex'), array['u' || n || '@example.org'] from generate_series(1, 40) n;
    alter table logs alter payload set storage external;
    update logs set payload = repeat('x', 50 * 1024 * 1024) where id = 1;`);
  const { columns, problems } = await scanDatabase(database, ORDER);
  assert.deepEqual(problems, []);
  const kinds = found(columns);
  assert.notEqual(kinds['public.logs.doc'], 'none');
  assert.equal(kinds['public.logs.labels'], 'user.contact.email');
  assert.equal(kinds['public.logs.raw'], 'none');
  const doc = columns.find(({ column }) => column.endsWith('.doc'));
  assert.match(doc?.evidence.join() ?? '', /leaves are personal: .*user\.contact\.email/);
});

test('documents that are none, escapes that cannot be read, bytes and scripts of both directions stop nothing', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(String.raw`
    create table garbage (id int primary key, user_id int, halves json, torn text, raw bytea, parts text[], mixed text, contact_way text);
    insert into garbage select n, n,
      (array['"\u0000"', '"\ud800"', '{"e\u006dail": "u@example.org"}', '{"a": {"a": [[[[1e999]]]]}}', '{"":{"":""}}'])[n % 5 + 1]::json,
      (array['{"email": "u@', '[1, 2', '\u12', '"\x"', '{{}}', ''])[n % 6 + 1],
      decode(md5(n::text) || md5(n::text), 'hex'),
      array['{' || n, '"\', null, '', 'a,b}'],
      'שלום ' || n || U&'\202E' || 'ab' || U&'\200F' || ' مرحبا Ω Ж 漢 ' || U&'\FEFF' || repeat(U&'\0301', 50),
      U&'\202B' || 'u' || n || '@example.org' from generate_series(1, 60) n;`);
  const names = ['halves', 'torn', 'raw', 'parts', 'mixed'];
  for (const analysed of [false, true]) {
    if (analysed) await pool.query('analyze');
    const { columns, problems } = await scanDatabase(database, ORDER);
    assert.deepEqual(problems, []);
    const kinds = found(columns);
    for (const name of names) assert.ok(kinds[`public.garbage.${name}`] !== undefined, name);
    assert.equal(kinds['public.garbage.raw'], 'none');
    assert.equal(kinds['public.garbage.contact_way'], 'user.contact.email');
  }
});

test('values are printed as their types print them: no cast that somebody wrote runs with the rights of the scan', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(`
    create type way as (part text);
    create function spill(way) returns text language plpgsql as $$ begin raise exception 'the cast ran'; end $$;
    create cast (way as text) with function spill(way);
    create table b_odd (id int primary key, odd way, many way[], fixed char(40));
    insert into b_odd select n, format('(u%s@example.org)', n)::way, array[format('(u%s@example.org)', n)::way], 'u' || n || '@example.org'
      from generate_series(1, 30) n`);
  const { columns, problems, unlooked } = await scanDatabase(database, ORDER);
  assert.deepEqual([problems, [...unlooked]], [[], []]);
  assert.equal(found(columns)['public.b_odd.fixed'], 'user.contact.email');
});

test('a table that row security filters is not looked at in part, and no policy runs with the rights of the scan', async (t) => {
  const { pool, url } = await testDatabase(t);
  await pool.query(`
    create table people (id int primary key, way text, mood text);
    insert into people select n, 'someone' || n || '@example.org', null from generate_series(1, 50) n; analyze people;
    create function spill() returns boolean language plpgsql as $$ begin raise exception 'the policy ran'; end $$;
    alter table people enable row level security; create policy mine on people using (spill())`);
  await withLogin({ pool, url, grants: 'select on people' }, async (weak) => {
    const { columns, problems, unlooked, unused } = await scanDatabase(weak, ORDER);
    assert.deepEqual(
      problems.map(({ table, code }) => `${table} ${code}`),
      ['public.people row-security'],
    );
    assert.ok(unlooked.has('public.people.way'));
    assert.equal(found(columns)['public.people.way'], 'none');
    assert.deepEqual(unused, []);
  });
});

test('of a table some columns of which may be read these are looked at, and the others are told', async (t) => {
  const { pool, url } = await testDatabase(t);
  await pool.query(`
    create table people (id int primary key, way text, other text, email text);
    insert into people select n, 'someone' || n || '@example.org', 'other' || n || '@example.org', 'x' from generate_series(1, 50) n`);
  await withLogin({ pool, url, grants: 'select (id, way) on people' }, async (weak) => {
    const { columns, problems, unlooked } = await scanDatabase(weak, ORDER);
    assert.deepEqual(problems, [
      { table: 'public.people', code: 'no-right', message: 'this login may not read its columns other, email' },
    ]);
    const kinds = found(columns);
    assert.deepEqual(
      [kinds['public.people.way'], kinds['public.people.other'], kinds['public.people.email']],
      ['user.contact.email', 'none', 'user.contact.email'],
    );
    assert.deepEqual([...unlooked], ['public.people.other']);
  });
});

test('a column is told as empty when every row was asked; of a large table it is told that the sample had no value', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(`
    create table visits (id int primary key, gone text, late text);
    insert into visits select n, null, null from generate_series(1, 500) n; analyze visits;
    insert into visits values (501, null, 'somebody@example.org');
    create table large (id int primary key, gone text);
    insert into large values (1, null); analyze large`);
  // As after ANALYZE of a table of 800 MB.
  await pool.query(`update pg_class set relpages = 100000 where relname = 'large'`);
  const { unused } = await scanDatabase(database, ORDER);
  assert.deepEqual(unused.map(({ column, why }) => `${column} ${why}`).toSorted(), [
    'public.large.gone no-value-seen',
    'public.visits.gone never-filled',
  ]);
});

test('a table that nobody reads is told once the counters are a day old, and one that is read is not', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(
    `create table unread (odd text); insert into unread values ('x'); create table read (odd text); insert into read values ('x')`,
  );
  await pool.query('select * from read');
  await pool.query('select pg_stat_force_next_flush()');
  const later = { ...systemClock, now: () => new Date(Date.now() + 2 * 86_400_000) };
  const idle = async (clock: ScanOrder['clock']) => (await scanDatabase(database, { ...ORDER, clock })).unused;
  assert.deepEqual(await idle(systemClock), []);
  const told = await idle(later);
  assert.deepEqual(
    told.filter(({ why }) => why === 'never-read'),
    [{ table: 'public.unread', column: null, why: 'never-read' }],
  );
});

test('comments say what a column is where its name does not, and hstore is taken apart as a document is', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(`
    create extension hstore;
    create table customers (id int primary key, email text, x7 text, x8 text, extra hstore, colours hstore);
    comment on column customers.x7 is 'date of birth of the customer';
    insert into customers select n, 'c' || n || '@example.org', null, null,
      hstore(array['first_name', 'Anna', 'contact', 'u' || n || '@example.org']), hstore('shade', 'blue') from generate_series(1, 60) n`);
  for (const analysed of [false, true]) {
    if (analysed) await pool.query('analyze');
    const { columns, problems } = await scanDatabase(database, ORDER);
    assert.deepEqual(problems, []);
    const kinds = found(columns);
    assert.match(kinds['public.customers.x7'] ?? '', /date_of_birth/);
    assert.equal(kinds['public.customers.x8'], 'none');
    assert.notEqual(kinds['public.customers.extra'], 'none');
    assert.match(columns.find(({ column }) => column.endsWith('.extra'))?.evidence.join() ?? '', /user\.contact\.email/);
    assert.equal(kinds['public.customers.colours'], 'none');
  }
});

test('documents and arrays of which the statistics keep only the beginning are read from the rows', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(`
    create table customers (id int primary key, doc jsonb, ways text[]);
    insert into customers select n, jsonb_build_object('a', repeat('x', 300), 'contact', 'u' || n || '@example.org'), array['u' || n || '@example.org']
      from generate_series(1, 60) n; analyze customers`);
  const kinds = found((await scanDatabase(database, ORDER)).columns);
  assert.match(kinds['public.customers.doc'] ?? '', /user\.contact/);
  assert.equal(kinds['public.customers.ways'], 'user.contact.email');
});

test('codes and amounts in digits alone are no telephone numbers; numbers written as such are', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(`
    create table customers (id int primary key, email text);
    create table orders (id int primary key, customer_id int references customers, code text, total text, way text, phone text);
    insert into customers select n, 'u' || n || '@example.org' from generate_series(1, 60) n;
    insert into orders select n, n, 212555000 + n * 7919, (2125 + n * 37)::text || '.' || (10 + n), '+49 30 9018' || (1000 + n), '2125550' || (100 + n)
      from generate_series(1, 60) n; analyze;`);
  const kinds = found((await scanDatabase(database, ORDER)).columns);
  assert.equal(kinds['public.orders.code'], 'none');
  assert.equal(kinds['public.orders.total'], 'none');
  assert.equal(kinds['public.orders.way'], 'user.contact.phone_number');
  assert.equal(kinds['public.orders.phone'], 'user.contact.phone_number');
});

test('names beside contacts are people whatever their table is called; times are no names, and versions no addresses', async (t) => {
  const { pool, database } = await testDatabase(t);
  await pool.query(`
    create table waiting_list (id int primary key, name text, email text, since date);
    insert into waiting_list select n,
        (array['Ann', 'Jorge', 'Maria', 'John', 'Laura'])[1 + n % 5] || ' ' || (array['Miller', 'Ruiz', 'Rossi', 'Smith'])[1 + n % 4],
        'list' || n || '@example.org', current_date from generate_series(1, 60) n;
    create table product (id int primary key, name text, email text);
    insert into product select n, 'Steel bolt ' || n, 'sales@example.org' from generate_series(1, 60) n;
    create table "GuardianConsents" (id int primary key, "Given At" text);
    insert into "GuardianConsents" select n, '2024-09-' || lpad((1 + n % 28)::text, 2, '0') || ' 08:00:00' from generate_series(1, 60) n;
    create table build_versions (id int primary key, version text, client_ip text);
    insert into build_versions select n, format('10.2.%s.%s', n / 9, n % 9), format('10.2.%s.%s', n, n % 9) from generate_series(1, 60) n;
    analyze`);
  const { columns } = await scanDatabase(database, ORDER);
  const names = found(columns);
  assert.deepEqual(
    {
      list: names['public.waiting_list.name'],
      product: names['public.product.name'],
      given: names['public."GuardianConsents"."Given At"'],
      version: names['public.build_versions.version'],
      address: names['public.build_versions.client_ip'],
    },
    { list: 'user.name', product: 'none', given: 'none', version: 'none', address: 'user.device.ip_address' },
  );
});

test('no value of a row stands in what a scan gives back', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(
    `create table odd_things (a text, b text, c jsonb); insert into odd_things select '${CANARY}' || n, 'quillfeather' || n || '@example.org', jsonb_build_object('quillfeather' || n, '${CANARY}') from generate_series(1, 60) n; analyze`,
  );
  for (const analysed of [true, false]) {
    if (!analysed) await pool.query('truncate odd_things');
    const scan = await scanDatabase(database, ORDER);
    assert.doesNotMatch(JSON.stringify([scan.columns, scan.subjects, scan.problems, scan.unused]), /quillfeather|zebedee/i);
  }
});

test('no key of a document that somebody wrote stands in the reasons', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(
    `create table patients (id int primary key, email text, first_name text, last_name text, extra jsonb, more jsonb);
     insert into patients select n, 'u' || n || '@example.org', 'Anna', 'Meyer', jsonb_build_object('quillfeather_name', 'Anna Meyer'), jsonb_build_object('quillfeather_username', 'anna@example.org') from generate_series(1, 60) n; analyze`,
  );
  const { columns } = await scanDatabase(database, ORDER);
  assert.match(JSON.stringify(columns), /a word of its name/);
  assert.doesNotMatch(JSON.stringify(columns), /quillfeather/i);
});

test('a scan changes nothing, and the same seed gives the same result', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(
    `create table people (id int primary key, a text, b text); insert into people select n, 'x' || n, 'y' || n || '@example.org' from generate_series(1, 20000) n`,
  );
  const before = await pool.query(`select pg_current_wal_insert_lsn() as lsn`);
  const one = await scanDatabase(database, { ...ORDER, seed: 7 });
  const other = await scanDatabase(database, { ...ORDER, seed: 7 });
  assert.deepEqual(one.columns, other.columns);
  const { rows } = await pool.query(
    `select n_tup_ins + n_tup_upd + n_tup_del as writes from pg_stat_user_tables where relname = 'people'`,
  );
  assert.ok(Number(rows[0].writes) <= 20000, String(before.rows[0].lsn));
});

test('odd names, cycles, no tables and 1,600 columns are taken as they come', async (t) => {
  const { database, pool } = await testDatabase(t);
  assert.deepEqual((await scanDatabase(database, ORDER)).columns, []);
  const wide = Array.from({ length: 1599 }, (_, place) => `c${place} int`).join(', ');
  await pool.query(`
    create schema "Ünï ""q""";
    create table "Ünï ""q"""."People of ""X""" ("Id" int primary key, "E-Mail Adresse" text, "a.b" text, "姓名" text, "boss" int references "Ünï ""q"""."People of ""X""");
    create table one (id int primary key, two_id int); create table two (id int primary key, one_id int references one);
    alter table one add foreign key (two_id) references two;
    create table wide (email text, ${wide});`);
  const { columns } = await scanDatabase(database, ORDER);
  const kinds = found(columns);
  assert.equal(columns.length, 5 + 2 + 2 + 1600);
  assert.equal(kinds['"Ünï ""q"""."People of ""X"""."E-Mail Adresse"'], 'user.contact.email');
  assert.equal(kinds['public.wide.email'], 'user.contact.email');
});

test('columns that are never filled are listed, partitions and views beside their tables', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(`
    create table customers (id int primary key, email text, fax text) partition by range (id);
    create table customers_1 partition of customers for values from (1) to (1000);
    create view mails as select email from customers;
    insert into customers select n, 'c' || n || '@example.org', null from generate_series(1, 100) n; analyze;`);
  const { columns, unused, subjects } = await scanDatabase(database, ORDER);
  const kinds = found(columns);
  assert.deepEqual(
    [kinds['public.customers.email'], kinds['public.customers_1.email'], kinds['public.mails.email']],
    Array(3).fill('user.contact.email'),
  );
  assert.ok(unused.some(({ column, why }) => column === 'public.customers_1.fax' && why === 'never-filled'));
  assert.deepEqual(
    subjects.map(({ table }) => table),
    ['public.customers'],
  );
});

test('what encrypt put beside a column of the map is no finding, and its emptied plaintext is not called unused', async (t) => {
  const { database, pool } = await testDatabase(t);
  await pool.query(`
    create table customers (id int primary key, email text, email_encrypted bytea, email_exact_index bigint, fax_encrypted text)
      partition by range (id);
    create table customers_1 partition of customers default;
    insert into customers select n, null, '\\x00'::bytea, n, 'ask the desk' from generate_series(1, 100) n; analyze;`);
  const { map } = readMapText(
    `version: 1
tenant: fixed
tables:
  public.customers:
    columns:
      email: { category: user.contact.email, protect: client, search: [exact] }
      fax_encrypted: { category: none }
`,
    'datamap.yaml',
  );
  const { columns, unused } = await scanDatabase(database, { ...ORDER, map });
  assert.deepEqual(
    columns.map(({ column }) => column),
    ['customers', 'customers_1'].flatMap((table) => ['id', 'email', 'fax_encrypted'].map((column) => `public.${table}.${column}`)),
  );
  assert.deepEqual(unused, []);
});

test('what was found is kept where Safekeep may, and a second scan looks only at what is new', async (t) => {
  const { database, pool } = await testDatabase(t, { migrated: true });
  await pool.query('create table customers (id int primary key, email text)');
  assert.ok((await scanDatabase(database, ORDER)).columns.every(({ fresh }) => fresh));
  // As apply marks a column, which nobody else has changed.
  await pool.query(`comment on column customers.id is '[safekeep category=user.unique_id protect=none]'`);
  await pool.query('alter table customers add phone text; alter table customers alter email type varchar(200)');
  const { columns } = await scanDatabase(database, { ...ORDER, sinceLast: true });
  assert.deepEqual(
    columns.filter(({ fresh }) => fresh).map(({ column }) => column),
    ['public.customers.email', 'public.customers.phone'],
  );
  assert.ok(columns.every(({ category }) => category !== 'none'));
});

test('a name splits into the same words however it is written', () => {
  const word = fc.stringMatching(/^[a-z]{3,8}$/);
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
      const camel = words.map((each, place) => (place === 0 ? each : `${each.slice(0, 1).toUpperCase()}${each.slice(1)}`)).join('');
      for (const written of [
        words.join('_'),
        words.join('-'),
        words.join(' '),
        words.join('.'),
        words.join('_').toUpperCase(),
        camel,
      ])
        assert.deepEqual(splitName(written), words);
    }),
  );
});
