import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isMappable, readMap, tableName, type MapFile } from '@safekeep/core';
import { readCatalog } from '@safekeep/postgres';
import { testDatabase, testServers } from '@safekeep/postgres/testing';
import { readMapText } from '../text/document.ts';
import { newMapText } from '../text/edit.ts';
import { checkDatabase } from './check-map.ts';

const NORTHWIND = join(import.meta.dirname, '..', '..', '..', '..', '..', 'shared', 'data', 'schemas', 'northwind.sql');

const SCHEMA = `
  create domain mail as text check (value like '%@%');
  create table patients (id integer primary key, email mail, code varchar(8) check (code ~ '^[A-Z]+$'), born date, seen_at timestamptz);
  create table "Visit log" ("Id" integer primary key, "Patient" integer references patients on delete cascade, a integer references patients, "c""d.e" text);
  create table messages (id integer primary key, sender_id integer references patients, recipient_id integer references patients);
  create view everybody as select * from patients;
  create table parts (id integer not null, patient_id integer references patients) partition by range (id);
  create table parts_1 partition of parts for values from (1) to (10);
  insert into patients select n from generate_series(1, 5) n;
  insert into messages select n, n, case when n < 3 then 1 end from generate_series(1, 5) n;
`;

const FILE: MapFile = {
  version: 1,
  purposes: { care: { use: 'essential.service', basis: 'contract', retention: '10y' } },
  subjects: { patient: { table: 'patients', key: 'id', find_by: ['email'] } },
  tables: {
    'patients': {
      purposes: ['care'],
      retention: { after: 'seen_at', keep: '10y', then: 'anonymise' },
      columns: {
        id: { category: 'user.unique_id' },
        email: { category: 'user.contact.email', erase: { replace: 'erased@invalid' } },
        code: { category: 'user.unique_id', erase: { replace: 'ERASED' } },
        born: { category: 'user.demographic.date_of_birth', erase: 'null' },
        seen_at: { category: 'none', note: 'when' },
      },
    },
    'public."Visit log"': {
      of: { patient: ['Patient', 'a'] },
      columns: {
        'Id': { category: 'user.unique_id' },
        'Patient': { category: 'user.unique_id' },
        'a': { category: 'user.unique_id' },
        'c"d.e': { category: 'user.content', free_text: true },
      },
    },
    'messages': {
      of: { patient: ['sender_id', 'recipient_id'] },
      columns: {
        id: { category: 'user.unique_id' },
        sender_id: { category: 'user.unique_id' },
        recipient_id: { category: 'user.unique_id' },
      },
    },
    'parts': {
      of: { patient: 'patient_id' },
      columns: { id: { category: 'user.unique_id' }, patient_id: { category: 'user.unique_id' } },
    },
  },
};

function mapText(file: MapFile) {
  return readMapText(newMapText(file), 'datamap.yaml');
}

for (const server of testServers()) {
  test(`the gate is green for a map that fits, and red for each thing that does not (PostgreSQL ${server.name})`, async (t) => {
    const { database, pool } = await testDatabase(t, { server });
    await pool.query(SCHEMA);
    const several = [{ table: 'public."Visit log"', paths: ['"Patient"', 'a'], columns: ['c"d.e'] }];
    const { catalog: _catalog, ...good } = await checkDatabase(database, mapText(FILE));
    assert.deepEqual(good, { ok: true, problems: [], tables: 4, columns: 14, unconfirmed: [], several });

    await pool.query('alter table "Visit log" add "New one" text');
    const [added, ...more] = (await checkDatabase(database, mapText(FILE))).problems;
    assert.deepEqual(more, []);
    assert.equal(added?.code, 'unclassified-column');
    assert.equal(added?.table, 'public."Visit log"');
    assert.equal(added?.column, 'public."Visit log"."New one"');
    assert.ok((added?.line ?? 0) > 3);
  });

  test(`ways that could be meant are told with the rows that each of them has (PostgreSQL ${server.name})`, async (t) => {
    const { database, pool } = await testDatabase(t, { server });
    await pool.query(SCHEMA);
    const { of: _of, ...silent } = FILE.tables?.['messages'] ?? {};
    const { problems } = await checkDatabase(
      database,
      mapText({ ...FILE, tables: { ...FILE.tables, messages: { ...silent, purposes: ['care'] } } }),
    );
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['ambiguous-path'],
    );
    assert.match(problems[0]?.message ?? '', /recipient_id; sender_id; rows: 2; 5$/);
  });

  test(`the server itself is asked whether it would take what erasure writes (PostgreSQL ${server.name})`, async (t) => {
    const { database, pool } = await testDatabase(t, { server });
    await pool.query(SCHEMA);
    const columns = FILE.tables?.['patients']?.columns ?? {};
    const wrong = {
      ...columns,
      email: { category: 'user.contact.email', erase: { replace: 'gone' } },
      code: { category: 'user.unique_id', erase: { replace: 'gone' } },
      born: { category: 'user.demographic.date_of_birth', erase: { replace: 'never' } },
    };
    const { problems } = await checkDatabase(
      database,
      mapText({ ...FILE, tables: { ...FILE.tables, patients: { ...FILE.tables?.['patients'], columns: wrong } } }),
    );
    assert.deepEqual(
      problems.map(({ code, column }) => [code, column]),
      [
        ['erase-refused', 'public.patients.email'],
        ['erase-refused', 'public.patients.code'],
        ['erase-refused', 'public.patients.born'],
      ],
    );
    assert.match(problems[1]?.message ?? '', /patients_code_check refuses "gone"/);
  });

  test(`a table that the user may not read is named (PostgreSQL ${server.name})`, async (t) => {
    const { database, pool } = await testDatabase(t, { server });
    await pool.query(SCHEMA);
    const role = `reader_${process.pid}_${server.name}`;
    await pool.query(`create role ${role} nologin; grant select on patients, "Visit log", parts to ${role}`);
    try {
      await database.withClient(async (client) => {
        await client.query(`set role ${role}`);
        try {
          const oneUser = { ...database, withClient: <Result>(run: (same: typeof client) => Promise<Result>) => run(client) };
          const { problems } = await checkDatabase(oneUser, mapText(FILE));
          assert.deepEqual(
            problems.map(({ code, table }) => [code, table]),
            [['table-unreadable', 'public.messages']],
          );
        } finally {
          await client.query('reset role');
        }
      });
    } finally {
      await pool.query(`drop owned by ${role}; drop role ${role}`);
    }
  });

  test(
    `a map of Northwind is held against Northwind (PostgreSQL ${server.name})`,
    { skip: existsSync(NORTHWIND) ? false : 'skipped: ../shared/data not present' },
    async (t) => {
      const { database } = await testDatabase(t, { server });
      await database.withClient(async (client) => {
        await client.query(readFileSync(NORTHWIND, 'utf8'));
        // The dump empties the search path of its session.
        await client.query('reset all');
      });
      const catalog = await database.withClient((client) => readCatalog(client));
      assert.ok(catalog.tables.length >= 14);
      const tables = Object.fromEntries(
        catalog.tables
          .filter(isMappable)
          .map((table) => [
            tableName(table),
            { columns: Object.fromEntries(table.columns.map(({ name }) => [name, { category: 'none', note: 'not looked at' }])) },
          ]),
      );
      const bare: MapFile = {
        version: 1,
        subjects: { customer: { table: 'customers', key: 'customer_id' }, employee: { table: 'employees', key: 'employee_id' } },
        tables,
      };
      const found = await checkDatabase(database, mapText(bare));
      const about = found.problems.filter(({ code }) => code === 'missing-subject').map(({ table }) => String(table));
      assert.deepEqual(about.toSorted(), ['public.customer_customer_demo', 'public.employee_territories', 'public.orders']);

      const retention = { after: 'hire_date', keep: '10y', then: 'delete' as const };
      const of = {
        'public.orders': {
          of: {
            customer: { path: 'customer_id', meaning: 'owns' as const },
            employee: { path: 'employee_id', meaning: 'created_by' as const },
          },
        },
        'public.order_details': { of: { customer: 'order_id -> orders.customer_id' } },
        'public.customer_customer_demo': { of: { customer: 'customer_id' } },
        'public.employee_territories': { of: { employee: 'employee_id' } },
        'public.employees': { retention },
        'public.customers': { purposes: ['sale'] },
      };
      const full: MapFile = {
        ...bare,
        purposes: { sale: { use: 'essential.service', basis: 'contract', retention: '10y' } },
        tables: Object.fromEntries(
          Object.entries(tables).map(([name, table]) => [name, { ...table, ...(name in of ? of[name as keyof typeof of] : {}) }]),
        ),
      };
      assert.ok('map' in readMap(full));
      assert.deepEqual((await checkDatabase(database, mapText(full))).problems, []);
    },
  );
}
