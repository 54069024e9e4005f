import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type pg from 'pg';
import { isSafekeepError } from '@safekeep/core';
import { fingerprint, migrateDown, migrateUp, migrationStatus, readCatalog } from '@safekeep/postgres';
import { testDatabase } from '@safekeep/postgres/testing';
import { livedIn } from '../attack/lived-in.ts';

const MIGRATIONS = join(import.meta.dirname, '..', '..', 'packages', 'postgres', 'sql', 'migrations');
const versions = globSync('*.up.sql', { cwd: MIGRATIONS })
  .map((file) => file.slice(0, 4))
  .toSorted();
/** The runner's own, which every step adds to, and what a migration puts there itself. */
const OWN = /^(migration_history|function_versions|tenants)$/;

/** Events changed their form with this version, before any was released: those of the older form are refused, and none is carried along. */
const EVENTS_SINCE = '0021';

const TABLES = `
  select c.relname as name,
         array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                  and a.attgenerated = '' order by a.attnum) as columns
    from pg_class c where c.relnamespace = to_regnamespace('safekeep') and c.relkind in ('r', 'p') and not c.relispartition order by 1`;

type Table = { readonly name: string; readonly columns: readonly string[] };

const quoted = (name: string): string => `"${name}"`;

/** Those whose rows go up with it from this version. */
async function tablesOf(pool: pg.Pool, version: string): Promise<readonly Table[]> {
  const carried = (name: string): boolean => !OWN.test(name) && (name !== 'audit_events' || version >= EVENTS_SINCE);
  return (await pool.query<Table>(TABLES)).rows.filter(({ name }) => carried(name));
}

/** What stands in the columns of a table, in no order. */
async function contentOf(pool: pg.Pool, { name, columns }: Table): Promise<string> {
  const { rows } = await pool.query<{ content: string }>(
    `select coalesce(string_agg(md5(t::text), ' ' order by md5(t::text)), '') as content
       from (select ${columns.map(quoted).join(', ')} from safekeep.${quoted(name)}) as t`,
  );
  return rows[0]?.content ?? '';
}

/** Puts rows of a lived-in database where they would stand in this older one. */
async function plant(pool: pg.Pool, version: string, from: ReadonlyMap<string, readonly string[]>): Promise<number> {
  const client = await pool.connect();
  let planted = 0;
  try {
    await client.query(`set session_replication_role = 'replica'`);
    const partitions = await client.query(`select to_regprocedure('safekeep.create_next_month_audit_partitions()') as name`);
    if (partitions.rows[0]?.name !== null) await client.query('select safekeep.create_next_month_audit_partitions()');
    for (const { name, columns } of await tablesOf(pool, version)) {
      const list = columns.map(quoted).join(', ');
      for (const row of from.get(name) ?? []) {
        await client.query(
          `insert into safekeep.${quoted(name)} (${list}) select ${list} from jsonb_populate_record(null::safekeep.${quoted(name)}, $1)`,
          [row],
        );
        planted += 1;
      }
    }
  } finally {
    client.release(true);
  }
  return planted;
}

/** Without the order of columns: one that was dropped comes back as the last, and nothing of ours goes by places. */
async function schemaOf(pool: pg.Pool): Promise<string> {
  const catalog = await readCatalog(pool, { schemas: ['safekeep'] });
  const tables = catalog.tables.map((table) => ({
    ...table,
    columns: table.columns.map((column) => ({ ...column, position: 0 })),
  }));
  return fingerprint({ ...catalog, tables });
}

test('from every earlier version rows and schema go to the newest and come back as they were', { timeout: 600_000 }, async (t) => {
  const source = await livedIn(t);
  const rowsOf = new Map<string, readonly string[]>();
  for (const { name } of await tablesOf(source.pool, versions.at(-1) ?? '')) {
    const { rows } = await source.pool.query<{ row: string }>(
      `select to_jsonb(t)::text as row from safekeep.${quoted(name)} as t limit 200`,
    );
    rowsOf.set(
      name,
      rows.map(({ row }) => row),
    );
  }
  assert.ok([...rowsOf.values()].filter((rows) => rows.length > 0).length > 15, 'most tables have rows to carry along');
  assert.ok(versions.length > 12);
  for (const version of versions.slice(0, -1)) {
    await using made = await testDatabase();
    const { database, pool } = made;
    await migrateUp(database, { to: version });
    const before = await schemaOf(pool);
    const planted = await plant(pool, version, rowsOf);
    assert.ok(planted > 0 || Number(version) < 5, `version ${version} carries rows`);
    const tables = await tablesOf(pool, version);
    const contents = new Map<string, string>();
    for (const table of tables) contents.set(table.name, await contentOf(pool, table));
    const same = async (when: string): Promise<void> => {
      for (const table of tables)
        assert.equal(await contentOf(pool, table), contents.get(table.name), `${table.name} of ${version} ${when}`);
    };
    await migrateUp(database);
    await same('at the newest');
    await migrateDown(database, { to: version });
    await same('and back');
    assert.equal(await schemaOf(pool), before, `the schema of ${version} is as it was`);
    await migrateUp(database);
    await same('and up again');
  }
});

test('a log of the older form is refused, with the way on, and stays as it is', async (t) => {
  const { database, pool } = await testDatabase(t);
  const older = versions.filter((version) => version < EVENTS_SINCE).at(-1) ?? '';
  await migrateUp(database, { to: older });
  await pool.query(`select safekeep.create_next_month_audit_partitions();
    insert into safekeep.audit_events (tenant_id, sequenced_at, era, leaf_index, id, at, order_no, kind, action, attribution, commitments, salts)
      values ('default', now(), 1, 0, gen_random_uuid(), now(), 1, 'compliance', 'apply-done', 'none', '', '')`);
  await assert.rejects(
    migrateUp(database),
    (error) => isSafekeepError(error, 'migration-failed') && /older format/.test(error.message),
  );
  assert.equal((await migrationStatus(database)).current, older);
  assert.deepEqual((await pool.query('select count(*)::integer as n from safekeep.audit_events')).rows, [{ n: 1 }]);
});
