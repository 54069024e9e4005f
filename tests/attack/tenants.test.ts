import assert from 'node:assert/strict';
import { test } from 'node:test';
import type pg from 'pg';
import { livedIn } from './lived-in.ts';

/** Ways to name a tenant that is none, or more than one. */
const FORGED = ['other', '', 'DEFAULT', 'default ', `default' or '1'='1`, '%', 'default,other', '*'];

async function tablesFor(pool: pg.Pool, role: string): Promise<readonly { readonly name: string; readonly rows: number }[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select format('safekeep.%I', c.relname) as name
       from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
      where n.nspname = 'safekeep' and c.relkind in ('r', 'p', 'v') and not c.relispartition
        and has_column_privilege($1, c.oid, a.attnum, 'select') order by 1`,
    [role],
  );
  const counted = [];
  for (const { name } of rows) {
    const { rows: count } = await pool.query<{ n: number }>(`select count(*)::integer as n from ${name}`);
    counted.push({ name, rows: count[0]?.n ?? 0 });
  }
  return counted;
}

for (const role of ['safekeep_app', 'safekeep_auditor'])
  test(`a login of ${role} finds nothing of a tenant it has not set, in any table, by any spelling`, async (t) => {
    const { pool, loginOf } = await livedIn(t);
    await pool.query(`insert into safekeep.tenants (tenant_id, name) values ('other', 'Another practice')`);
    const thief = await loginOf(role);
    const tables = await tablesFor(pool, role);
    assert.ok(tables.length > 25);
    assert.ok(tables.filter(({ rows }) => rows > 0).length > 12, 'most tables hold rows that could be found');
    const seen = async (name: string): Promise<number> => {
      const { rows } = await thief.query<{ n: number }>(
        `select count(tenant_id)::integer as n from ${name} where tenant_id = 'default'`,
      );
      return rows[0]?.n ?? 0;
    };
    for (const { name } of tables) assert.equal(await seen(name), 0, `${name} without a tenant`);
    for (const tenant of FORGED) {
      await thief.query('begin');
      await thief.query(`select set_config('safekeep.tenant', $1, true)`, [tenant]);
      for (const { name } of tables) assert.equal(await seen(name), 0, `${name} as ${JSON.stringify(tenant)}`);
      await thief.query('rollback');
    }
    // Its own rows it sees: the counts above say something.
    await thief.query('begin');
    await thief.query(`select set_config('safekeep.tenant', 'default', true)`);
    for (const { name, rows } of tables) assert.equal((await seen(name)) > 0, rows > 0, name);
    await thief.query('rollback');
  });

test('no row is moved into or out of a tenant, and no function answers for another one', async (t) => {
  const { pool, loginOf } = await livedIn(t);
  await pool.query(`insert into safekeep.tenants (tenant_id, name) values ('other', 'Another practice')`);
  const thief = await loginOf('safekeep_app');
  const { rows: writable } = await pool.query<{ name: string; update: boolean; delete: boolean }>(
    `select format('safekeep.%I', c.relname) as name, has_column_privilege('safekeep_app', c.oid, a.attnum, 'update') as update,
            has_table_privilege('safekeep_app', c.oid, 'delete') as delete
       from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
      where n.nspname = 'safekeep' and c.relkind in ('r', 'p') and not c.relispartition`,
  );
  const attempt = async (tenant: string, statement: string): Promise<number> => {
    await thief.query('begin');
    await thief.query(`select set_config('safekeep.tenant', $1, true)`, [tenant]);
    const changed = await thief.query(statement).then(
      ({ rowCount }) => rowCount ?? 0,
      () => 0,
    );
    await thief.query('rollback');
    return changed;
  };
  for (const { name, update, delete: mayDelete } of writable) {
    if (update) {
      assert.equal(await attempt('default', `update ${name} set tenant_id = 'other'`), 0, `${name} given away`);
      assert.equal(
        await attempt('other', `update ${name} set tenant_id = 'other' where tenant_id = 'default'`),
        0,
        `${name} taken`,
      );
    }
    if (mayDelete) assert.equal(await attempt('other', `delete from ${name} where tenant_id = 'default'`), 0, `${name} deleted`);
  }
  const { rows: keys } = await pool.query<{ id: string }>(`select encode(key_id, 'hex') as id from safekeep.encryption_keys`);
  assert.ok(keys.length > 0);
  const ids = `array[${keys.map(({ id }) => `'\\x${id}'::bytea`).join(', ')}]`;
  for (const statement of [
    `select * from safekeep.keys_by_id('default', ${ids})`,
    `select * from safekeep.keys_of_owners('default', (select array_agg(owner_mark) from safekeep.encryption_keys))`,
    `insert into safekeep.holds select * from safekeep.holds`,
    `insert into safekeep.datamap_versions select * from safekeep.datamap_versions`,
  ])
    assert.equal(await attempt('other', statement), 0, statement);
});
