import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isMappable, tableName } from '@safekeep/core';
import { readCatalog, type Catalog } from '@safekeep/postgres';
import { testDatabase, testServers, type TestServer } from '@safekeep/postgres/testing';
import { generatePractice, labels } from '@safekeep/sample';
import { safekeep, temporaryHome } from 'safekeep/testing';
import { mapByName } from './map-by-name.ts';

const SHARED = join(import.meta.dirname, '..', '..', '..', 'shared', 'data');
const skipped = existsSync(SHARED) ? false : 'skipped: ../shared/data not present';

/** Debian's, which can dump the server of its own version only. */
const PG_DUMP_15 = '/usr/lib/postgresql/15/bin/pg_dump';

const DUMP_BYTES_AT_MOST = 1024 * 1024 * 1024;

async function workplace(t: TestContext, server?: TestServer) {
  const folder = await temporaryHome(t);
  const home = join(folder, 'home');
  const mapFile = join(folder, 'datamap.yaml');
  const { pool, url } = await testDatabase(t, server === undefined ? {} : { server });
  // What a script would get: JSON without a type; each test holds the parts that it looks at against values.
  const call = async (...args: string[]) => {
    const { code, stdout, stderr } = await safekeep([...args, '--db', url.reveal(), '--home', home, '--map', mapFile, '--json']);
    assert.notEqual(stdout, '', stderr);
    return { code, result: JSON.parse(stdout) };
  };
  return { folder, home, mapFile, pool, url, call };
}
type Workplace = Awaited<ReturnType<typeof workplace>>;

/** Found, exported, planned, erased, verified; afterwards no column of the database has any of the values. */
async function wholeWay(
  place: Workplace,
  { query, subject, values }: { readonly query: string; readonly subject: string; readonly values: readonly string[] },
) {
  const { call, folder, home, pool } = place;
  const found = await call('subject', 'find', query, '--yes');
  assert.equal(found.code, 0, JSON.stringify(found.result));
  assert.ok(
    found.result.matches.some((match: { subject: string }) => match.subject === subject),
    JSON.stringify(found.result),
  );
  const out = join(folder, 'export.zip');
  const exported = await call('subject', 'export', subject, '--out', out);
  assert.equal(exported.code, 0, JSON.stringify(exported.result));
  const vkey = (await readFile(join(home, 'keys', 'signing.vkey'), 'utf8')).trim();
  assert.equal((await call('certificate', 'verify', out, '--vkey', vkey)).code, 0);
  const plan = await call('subject', 'erase', subject, '--plan');
  assert.deepEqual(plan.result.blocked, []);
  const byTable = new Map<string, number>();
  for (const { table, rows } of plan.result.tables) byTable.set(table, (byTable.get(table) ?? 0) + rows);
  const shown = exported.result.tables.filter(({ rows }: { rows: number }) => rows > 0);
  assert.deepEqual(
    Object.fromEntries(byTable),
    Object.fromEntries(shown.map(({ table, rows }: { table: string; rows: number }) => [table, rows])),
    'the same rows',
  );
  for (const value of values) assert.notDeepEqual(await hits(pool, value), [], `${value} stands somewhere before`);
  const done = await call('subject', 'erase', subject, '--approve', plan.result.hash, '--yes');
  assert.equal(done.code, 0, JSON.stringify(done.result));
  assert.equal(done.result.verified, true);
  assert.equal((await call('certificate', 'verify', done.result.certificate, '--vkey', vkey)).code, 0);
  for (const value of values) assert.deepEqual(await hits(pool, value), [], value);
  return { rows: exported.result.rows, done: done.result };
}

async function hits(pool: Workplace['pool'], value: string): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'm') and n.nspname !~ '^(pg_|information_schema)'`,
  );
  const found: string[] = [];
  for (const { name } of rows) {
    const { rows: hit } = await pool.query(`select from ${name} as t where strpos(t::text, $1) > 0 limit 1`, [value]);
    if (hit.length > 0) found.push(name);
  }
  const { rows: stats } = await pool.query<{ name: string }>(
    `select tablename as name from pg_stats where schemaname !~ '^(pg_|information_schema)' and strpos(coalesce(most_common_vals::text, '') || coalesce(histogram_bounds::text, ''), $1) > 0`,
    [value],
  );
  return [...found, ...stats.map(({ name }) => `statistics of ${name}`)];
}

test('a customer of chinook is found, exported, erased and proven', { skip: skipped }, async (t) => {
  const place = await workplace(t);
  assert.equal((await place.call('import', 'sqlite', join(SHARED, 'sqlite', 'chinook.sqlite'), '--yes')).code, 0);
  const map = mapByName(await readCatalog(place.pool, { schemas: ['public'] }), {
    customer: { table: 'public."Customer"', key: 'CustomerId', find_by: ['Email', 'LastName'], label: 'LastName' },
    employee: { table: 'public."Employee"', key: 'EmployeeId', find_by: ['Email'], label: 'LastName' },
  });
  await writeFile(place.mapFile, JSON.stringify(reviewed(map)));
  const { rows } = await wholeWay(place, {
    query: 'luisg@embraer.com.br',
    subject: 'customer:1',
    values: ['luisg@embraer.com.br', 'Gonçalves', 'Av. Brigadeiro'],
  });
  assert.ok(rows > 8, `${rows} rows`);
});

test('a customer of northwind is found, exported, erased and proven', { skip: skipped }, async (t) => {
  const place = await workplace(t);
  const client = await place.pool.connect();
  await client.query(readFileSync(join(SHARED, 'schemas', 'northwind.sql'), 'utf8'));
  // The dump empties the search path of its session.
  client.release(true);
  const map = mapByName(await readCatalog(place.pool, { schemas: ['public'] }), {
    customer: { table: 'public.customers', key: 'customer_id', find_by: ['phone', 'contact_name'], label: 'contact_name' },
    employee: { table: 'public.employees', key: 'employee_id', find_by: ['last_name'], label: 'last_name' },
  });
  await writeFile(place.mapFile, JSON.stringify(reviewed(map)));
  await wholeWay(place, {
    query: '030-0074321',
    subject: 'customer:ALFKI',
    values: ['Maria Anders', '030-0074321', 'Obere Str. 57'],
  });
});

test('a patient of the sample practice is found, exported, erased and proven, with its true labels as the map', async (t) => {
  const fifteen = testServers().find(({ name }) => name === '15');
  const place = await workplace(t, fifteen);
  const file = join(place.folder, 'practice.db');
  await generatePractice({ file, size: 'small' });
  assert.equal((await place.call('import', 'sqlite', file, '--yes')).code, 0);
  await writeFile(place.mapFile, JSON.stringify(mapByLabels(await readCatalog(place.pool, { schemas: ['public'] }))));
  const { rows } = await place.pool.query<{ email: string; ssn: string }>(`select email, ssn from patients where id = 42`);
  const { email = '', ssn = '' } = rows[0] ?? {};
  const values = [email, ssn].filter((value) => value !== null && value !== '');
  await wholeWay(place, { query: email, subject: 'patient:42', values });
  if (fifteen === undefined || !existsSync(PG_DUMP_15))
    return t.diagnostic('no dump was looked at: PostgreSQL 15 is not installed');
  const { hostname, port, username, password, pathname } = new URL(place.url.reveal());
  const connection = { PGHOST: hostname, PGPORT: port, PGUSER: username, PGPASSWORD: decodeURIComponent(password) };
  const dump = execFileSync(PG_DUMP_15, ['--dbname', pathname.slice(1)], { env: connection, maxBuffer: DUMP_BYTES_AT_MOST });
  assert.ok(dump.includes('COPY public.patients'));
  for (const value of values) assert.ok(!dump.includes(value), 'nor in a dump of the whole database');
});

/** What a person would add: orders are the customer's, the clerk only took them. */
function reviewed(map: ReturnType<typeof mapByName>): object {
  const meanings: Readonly<Record<string, string>> = { customer: 'owns', employee: 'created_by' };
  const tables = Object.entries(map.tables ?? {}).map(([name, table]) => {
    if (typeof table.of !== 'object' || table.of === null) return [name, table];
    const of = Object.fromEntries(
      Object.entries(table.of).map(([subject, paths]) => [
        subject,
        (Array.isArray(paths) ? paths : [paths]).map((path) =>
          typeof path === 'string' ? { path, meaning: meanings[subject] } : path,
        ),
      ]),
    );
    return [name, { ...table, of }];
  });
  return { ...map, tables: Object.fromEntries(tables) };
}

/** The truth about the practice as a map. */
function mapByLabels(catalog: Catalog): object {
  const subjects = Object.fromEntries(
    Object.entries(labels.subjects).map(([name, { table, key, label, findBy }]) => [
      name,
      { table, key, label, find_by: [...findBy] },
    ]),
  );
  const tables = Object.fromEntries(
    catalog.tables.filter(isMappable).map((table) => {
      const label = labels.tables[table.name];
      const columns = Object.fromEntries(
        table.columns.map(({ name }) => {
          const category = label?.columns[name]?.category ?? 'none';
          return [name, category === 'none' ? { category, note: 'as labelled' } : { category }];
        }),
      );
      const of: Record<string, object[]> = {};
      for (const { subject, path, meaning, matches } of label?.of ?? []) {
        const whole =
          matches === undefined
            ? path
            : `${path.split(' -> ')[0]} -> ${matches.table}.${matches.column}${path.includes(' -> ') ? ` -> ${path.split('.').at(-1) ?? ''}` : ''}`;
        (of[subject] ??= []).push({ path: whole, meaning });
      }
      return [tableName(table), { ...(Object.keys(of).length === 0 ? {} : { of }), columns }];
    }),
  );
  return { version: 1, tenant: 'fixed', subjects, tables };
}
