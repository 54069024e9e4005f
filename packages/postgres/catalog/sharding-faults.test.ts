import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type pg from 'pg';
import { testDatabase, testServers } from '../testing/index.ts';
import { readCatalog } from './read-catalog.ts';
import { shardingFaults, type ShardingExemption, type ShardingFault } from './sharding-faults.ts';

// A schema that keeps all rules; each planted violation below is added to it.
const SOUND = `
  create schema safekeep;
  create table safekeep.holds (
    tenant_id uuid not null, id uuid not null, replaces_id uuid, until date, name text,
    primary key (tenant_id, id),
    unique (tenant_id, until),
    foreign key (tenant_id, replaces_id) references safekeep.holds);
  alter table safekeep.holds enable row level security;
  create index on safekeep.holds (until);
  create unique index on safekeep.holds (tenant_id, lower(name)) where until is not null;
  create table safekeep.events (tenant_id uuid not null, id uuid not null, at date not null, hold_id uuid,
    primary key (tenant_id, id, at),
    foreign key (tenant_id, hold_id) references safekeep.holds on delete cascade) partition by range (at);
  create table safekeep.events_2025 partition of safekeep.events for values from ('2025-01-01') to ('2026-01-01');
  alter table safekeep.events enable row level security;
  alter table safekeep.events_2025 enable row level security;
  create view safekeep.open_holds with (security_invoker = on) as select * from safekeep.holds where until is null;`;

async function faults(pool: pg.Pool, exemptions: readonly ShardingExemption[] = []): Promise<readonly ShardingFault[]> {
  return shardingFaults(await readCatalog(pool, { schemas: ['safekeep'] }), { schema: 'safekeep', exemptions });
}

const table = (body: string): string =>
  `create table safekeep.planted (${body}); alter table safekeep.planted enable row level security;`;

const VIOLATIONS: Readonly<
  Record<string, { readonly sql: string; readonly found: readonly (readonly [rule: string, detail: RegExp])[] }>
> = {
  'a table whose first column is another': {
    sql: table('id uuid not null, tenant_id uuid not null'),
    found: [['tenant-first', /first column is id/]],
  },
  'a table without columns': { sql: table(''), found: [['tenant-first', /first column is missing/]] },
  'a tenant that may be null': { sql: table('tenant_id uuid'), found: [['tenant-first', /may be null/]] },
  'a primary key without the tenant': {
    sql: table('tenant_id uuid not null, id uuid primary key'),
    found: [['tenant-in-key', /planted_pkey \(id\)/]],
  },
  'a unique constraint without the tenant': {
    sql: table('tenant_id uuid not null, id uuid unique'),
    found: [['tenant-in-key', /planted_id_key/]],
  },
  'a unique index without the tenant': {
    sql: `${table('tenant_id uuid not null, name text')} create unique index u on safekeep.planted (lower(name));`,
    found: [['tenant-in-key', /^u \(\)/]],
  },
  'a unique index that only carries the tenant along': {
    sql: `${table('tenant_id uuid not null, name text')} create unique index u on safekeep.planted (name) include (tenant_id);`,
    found: [['tenant-in-key', /^u \(name\)/]],
  },
  'an exclusion without the tenant': {
    sql: table('tenant_id uuid not null, during daterange, constraint x exclude using gist (during with &&)'),
    found: [['tenant-in-key', /^x \(\)/]],
  },
  'a foreign key without the tenant': {
    sql: table('tenant_id uuid not null, id uuid primary key, of uuid references safekeep.planted'),
    found: [
      ['tenant-in-key', /planted_pkey/],
      ['tenant-in-foreign-key', /planted_of_fkey/],
    ],
  },
  'a foreign key that pairs the tenant with something else': {
    sql: table('tenant_id uuid not null, other uuid, foreign key (other, tenant_id) references safekeep.holds (tenant_id, id)'),
    found: [['tenant-in-foreign-key', /planted_other_tenant_id_fkey/]],
  },
  'an identity column': {
    sql: table('tenant_id uuid not null, n int generated always as identity'),
    found: [['no-database-numbering', /^n /]],
  },
  'a serial': { sql: table('tenant_id uuid not null, n serial'), found: [['no-database-numbering', /^n /]] },
  'ON DELETE SET NULL': {
    sql: table('tenant_id uuid not null, h uuid, foreign key (tenant_id, h) references safekeep.holds on delete set null (h)'),
    found: [['no-writing-action', /set-null on delete/]],
  },
  'ON DELETE SET DEFAULT': {
    sql: table('tenant_id uuid not null, h uuid, foreign key (tenant_id, h) references safekeep.holds on delete set default (h)'),
    found: [['no-writing-action', /set-default on delete/]],
  },
  'ON UPDATE CASCADE': {
    sql: table('tenant_id uuid not null, h uuid, foreign key (tenant_id, h) references safekeep.holds on update cascade'),
    found: [['no-writing-action', /cascade on update/]],
  },
  'row security that is off': {
    sql: 'create table safekeep.planted (tenant_id uuid not null)',
    found: [['row-security-enabled', /not enabled/]],
  },
  'row security that is forced': {
    sql: `${table('tenant_id uuid not null')} alter table safekeep.planted force row level security`,
    found: [['row-security-not-forced', /forced/]],
  },
  'a partition without row security': {
    sql: `create table safekeep.planted partition of safekeep.events for values from ('2026-01-01') to ('2027-01-01')`,
    found: [['row-security-enabled', /not enabled/]],
  },
  'a view that reads as its owner': {
    sql: 'create view safekeep.planted as select * from safekeep.holds',
    found: [['view-asks-as-invoker', /not security_invoker/]],
  },
  'a view whose security_invoker is off': {
    sql: 'create view safekeep.planted with (security_invoker = false) as select * from safekeep.holds',
    found: [['view-asks-as-invoker', /not security_invoker/]],
  },
  'a materialized view': {
    sql: 'create materialized view safekeep.planted as select * from safekeep.holds',
    found: [['view-asks-as-invoker', /materialized view/]],
  },
};

/** A database per server for all violations; each is planted in a transaction that is rolled back. */
for (const server of testServers()) {
  test(`on PostgreSQL ${server.name} a schema that keeps the rules has no fault, and each planted one is found alone`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    await pool.query(SOUND);
    assert.deepEqual(await faults(pool), []);
    const client = await pool.connect();
    try {
      for (const [name, { sql, found }] of Object.entries(VIOLATIONS)) {
        await client.query('begin');
        await client.query(sql);
        const told = shardingFaults(await readCatalog(client, { schemas: ['safekeep'] }), { schema: 'safekeep' });
        await client.query('rollback');
        assert.deepEqual(
          told.map((fault) => [fault.rule, fault.table]),
          found.map(([rule]) => [rule, 'safekeep.planted']),
          name,
        );
        told.forEach((fault, place) => assert.match(fault.detail, found[place]?.[1] ?? /^$/, name));
      }
    } finally {
      client.release(true);
    }
  });
}

const SHARED = `
  create table safekeep.countries (code text primary key, name text unique);
  create table safekeep.addresses (tenant_id uuid not null, id uuid, country text references safekeep.countries, primary key (tenant_id, id));
  alter table safekeep.addresses enable row level security;`;

const countries: ShardingExemption = {
  table: 'safekeep.countries',
  rules: ['tenant-first', 'tenant-in-key', 'row-security-enabled'],
  reason: 'a short list that is the same for all',
};

async function soundWithShared(t: TestContext): Promise<pg.Pool> {
  const { pool } = await testDatabase(t);
  await pool.query(SOUND + SHARED);
  return pool;
}

test('an exempted list for all tenants has no fault, and may be pointed at without the tenant', async (t) => {
  const pool = await soundWithShared(t);
  assert.deepEqual(await faults(pool, [countries]), []);
  const told = await faults(pool);
  assert.deepEqual(
    told.map((fault) => `${fault.table} ${fault.rule}`),
    [
      'safekeep.addresses tenant-in-foreign-key',
      'safekeep.countries tenant-first',
      'safekeep.countries tenant-in-key',
      'safekeep.countries tenant-in-key',
      'safekeep.countries row-security-enabled',
    ],
  );
});

test('an exemption covers only the table and the rules it names', async (t) => {
  const pool = await soundWithShared(t);
  const told = await faults(pool, [{ ...countries, rules: ['tenant-first', 'tenant-in-key'] }]);
  assert.deepEqual(
    told.map((fault) => [fault.table, fault.rule]),
    [['safekeep.countries', 'row-security-enabled']],
  );
});

test('an exemption that exempts nothing is a fault', async (t) => {
  const pool = await soundWithShared(t);
  const stale: ShardingExemption = { table: 'safekeep.holds', rules: ['no-database-numbering'], reason: 'it had a number once' };
  assert.deepEqual(await faults(pool, [countries, stale]), [
    { rule: 'exemption-unused', table: 'safekeep.holds', detail: 'it does not break no-database-numbering' },
  ]);
});

test('the tenant may have another name, and other schemas are not looked at', async (t) => {
  const { pool } = await testDatabase(t);
  await pool.query(`
    create table patients (id int primary key);
    create schema app;
    create table app.notes (org_id int not null, id int, primary key (org_id, id));
    alter table app.notes enable row level security`);
  const catalog = await readCatalog(pool);
  assert.deepEqual(shardingFaults(catalog, { schema: 'app', tenantColumn: 'org_id' }), []);
});
