import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCatalog } from '../catalog/read-catalog.ts';
import { shardingFaults, type ShardingExemption } from '../catalog/sharding-faults.ts';
import { testDatabase, testServers } from '../testing/index.ts';

const GLOBAL_LIST = 'A short list about the schema itself, the same for all tenants; it holds nobody’s rows.';
const exemptions: readonly ShardingExemption[] = ['safekeep.migration_history', 'safekeep.function_versions'].map((table) => ({
  table,
  rules: ['tenant-first', 'tenant-in-key', 'row-security-enabled'],
  reason: GLOBAL_LIST,
}));

/**
 * Functions of the schema that run as its owner and that everybody may execute. Nobody needs one: a trigger fires for whoever writes, with a right to
 * its function or none, and what such a function calls it calls as the owner. Functions that run as their caller give him nothing.
 */
const OPEN_DOORS = `
  select p.oid::regprocedure::text as name
    from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace and n.nspname = 'safekeep'
   where p.prosecdef
     and exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a where a.grantee = 0 and a.privilege_type = 'EXECUTE')
   order by 1`;

for (const server of testServers()) {
  test(`no function that runs as the owner of schema safekeep is everybody’s on PostgreSQL ${server.name}`, async (t) => {
    const { pool } = await testDatabase(t, { server, migrated: true });
    assert.deepEqual((await pool.query(OPEN_DOORS)).rows, []);
    await pool.query(
      `create function safekeep.planted() returns integer language sql security definer set search_path = '' as 'select 1'`,
    );
    assert.deepEqual((await pool.query(OPEN_DOORS)).rows, [{ name: 'safekeep.planted()' }]);
  });

  test(`every table of schema safekeep keeps the rules of tenants and shards on PostgreSQL ${server.name}`, async (t) => {
    const { pool } = await testDatabase(t, { server, migrated: true });
    assert.deepEqual(shardingFaults(await readCatalog(pool, { schemas: ['safekeep'] }), { schema: 'safekeep', exemptions }), []);
  });

  test(`a table that breaks them is found on PostgreSQL ${server.name}`, async (t) => {
    const { pool } = await testDatabase(t, { server, migrated: true });
    await pool.query('create table safekeep.planted (id bigint generated always as identity primary key, tenant_id text)');
    const faults = shardingFaults(await readCatalog(pool, { schemas: ['safekeep'] }), { schema: 'safekeep', exemptions });
    const rules = new Set(faults.map(({ table, rule }) => `${table} ${rule}`));
    for (const rule of ['tenant-first', 'tenant-in-key', 'no-database-numbering', 'row-security-enabled']) {
      assert.ok(rules.has(`safekeep.planted ${rule}`), rule);
    }
  });

  test(`every function that runs as its owner names its search_path, the temporary schema last, on PostgreSQL ${server.name}`, async (t) => {
    const { pool } = await testDatabase(t, { server, migrated: true });
    const { rows } = await pool.query<{ name: string; path: string | null }>(
      `select p.oid::regprocedure::text as name, (select setting from unnest(p.proconfig) as setting where setting like 'search_path=%') as path
         from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace where n.nspname = 'safekeep' and p.prosecdef`,
    );
    assert.ok(rows.length > 10);
    assert.deepEqual(
      rows.filter(({ path }) => path !== 'search_path=pg_catalog, pg_temp'),
      [],
    );
  });

  test(`a login of the application sees the rows of the tenant it has set and no others on PostgreSQL ${server.name}`, async (t) => {
    const { pool } = await testDatabase(t, { server, migrated: true });
    await pool.query(`insert into safekeep.tenants (tenant_id, name) values ('one', 'One'), ('two', 'Two')`);
    const client = await pool.connect();
    try {
      await client.query('begin; set local role safekeep_app');
      const seen = async () =>
        (await client.query('select tenant_id from safekeep.tenants order by 1')).rows.map(({ tenant_id }) => tenant_id);
      assert.deepEqual(await seen(), [], 'no tenant set: nothing');
      await client.query(`select set_config('safekeep.tenant', 'one', true)`);
      assert.deepEqual(await seen(), ['one']);
      await assert.rejects(
        client.query(`insert into safekeep.tenants (tenant_id, name) values ('three', 'Three')`),
        /permission denied/,
      );
    } finally {
      await client.query('rollback');
      client.release();
    }
  });
}
