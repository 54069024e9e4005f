import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import pg from 'pg';
import { isMappable, tableName, type MapFile } from '@safekeep/core';
import { readCatalog, type Catalog } from '@safekeep/postgres';
import { testDatabase, testServers, type TestServer } from '@safekeep/postgres/testing';
import { generatePractice, labels } from '@safekeep/sample';
import { safekeepAtHand, temporaryHome } from 'safekeep/testing';
import { mapByName } from './map-by-name.ts';

const SHARED = join(import.meta.dirname, '..', '..', '..', 'shared', 'data');
const skipped = existsSync(SHARED) ? false : 'skipped: ../shared/data not present';

/** Debian's, which can dump the server of its own version only. */
const PG_DUMP_15 = '/usr/lib/postgresql/15/bin/pg_dump';

const PSQL_15 = '/usr/lib/postgresql/15/bin/psql';

function fifteen(): TestServer | undefined {
  return testServers().find(({ name }) => name === '15');
}

async function workplace(t: TestContext, server?: TestServer) {
  const folder = await temporaryHome(t);
  const home = join(folder, 'home');
  const mapFile = join(folder, 'datamap.yaml');
  const { pool, url } = await testDatabase(t, server === undefined ? {} : { server });
  // What a script would get: JSON without a type; each test holds the parts that it looks at against values.
  const callOn = async (db: string, ...args: string[]) => {
    const { code, stdout, stderr } = await safekeepAtHand([...args, '--db', db, '--home', home, '--map', mapFile, '--json']);
    assert.notEqual(stdout, '', stderr);
    return { code, result: JSON.parse(stdout) };
  };
  const call = async (...args: string[]) => await callOn(url.reveal(), ...args);
  return { t, folder, home, mapFile, pool, url, call, callOn, server };
}
type Workplace = Awaited<ReturnType<typeof workplace>>;

/**
 * Found, exported in each format, planned, erased, verified offline. Afterwards no column of the database, no statistic and no dump has
 * what names the person; nor has an older copy once the ledger is replayed over it, in which nobody else is touched.
 */
async function wholeWay(
  place: Workplace,
  { query, subject, values: known }: { readonly query: string; readonly subject: string; readonly values: readonly string[] },
) {
  const { call, folder, home, pool } = place;
  const values = [...new Set([...known, ...(await identifiersOf(place, subject))])];
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
  for (const format of ['json', 'csv', 'pdf']) {
    const file = join(folder, `export-${format}.${format === 'csv' ? 'zip' : format}`);
    const given = await call('subject', 'export', subject, '--format', format, '--out', file);
    assert.deepEqual([given.code, given.result.rows], [0, exported.result.rows], format);
    const proven = format === 'csv' ? file : `${file}.manifest.json`;
    assert.equal((await call('certificate', 'verify', proven, '--vkey', vkey)).code, 0, format);
  }
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
  const before = await allRows(pool);
  const older = await dump(place, 'older.sql');
  if (older !== undefined) for (const value of values) assert.ok(older.includes(value), `${value} stands in a dump before`);
  const done = await call('subject', 'erase', subject, '--approve', plan.result.hash, '--yes');
  assert.equal(done.code, 0, JSON.stringify(done.result));
  assert.equal(done.result.verified, true);
  assert.equal((await call('certificate', 'verify', done.result.certificate, '--vkey', vkey)).code, 0);
  for (const value of values) assert.deepEqual(await hits(pool, value), [], value);
  const changed = before.difference(await allRows(pool));
  assert.equal(changed.size <= exported.result.rows, true, 'no more rows changed than are theirs');
  const newer = await dump(place, 'newer.sql');
  if (older === undefined || newer === undefined)
    place.t.diagnostic('no dump was looked at, and none restored: PostgreSQL 15 is not installed');
  else {
    for (const value of values) assert.ok(!newer.includes(value), `${value} is in no dump of the whole database`);
    await restoreAndReplay(place, { subject, values, before, changed });
  }
  return { rows: exported.result.rows, done: done.result };
}

/**
 * What of the person's own row nobody else has in that column: addresses and numbers. Not their name: other people's notes speak of
 * them, and are theirs.
 */
async function identifiersOf({ pool, mapFile }: Workplace, subject: string): Promise<readonly string[]> {
  const [type = '', key = ''] = subject.split(':');
  const map: MapFile = JSON.parse(await readFile(mapFile, 'utf8'));
  const person = map.subjects?.[type];
  assert.ok(person);
  const table = person.table.startsWith('public.') ? person.table : `public.${person.table}`;
  const columns = Object.entries(map.tables?.[person.table]?.columns ?? map.tables?.[table]?.columns ?? {})
    .filter(([, { category }]) =>
      /^user\.(contact\.(email|phone_number|fax_number|address\.street)|government_id|unique_id)/.test(String(category)),
    )
    .map(([name]) => name);
  const identifiers: string[] = [];
  for (const column of columns) {
    const name = pg.escapeIdentifier(column);
    const { rows } = await pool.query<{ value: string }>(
      `select min(${name}::text) as value from ${table} where ${name} is not null and length(${name}::text) >= 6
        group by ${name} having count(*) = 1 and bool_or(${pg.escapeIdentifier(String(person.key))}::text = $1)`,
      [key],
    );
    identifiers.push(...rows.map(({ value }) => value));
  }
  assert.ok(identifiers.length > 1, 'several things name a person');
  return identifiers;
}

/** The whole database as Debian's pg_dump writes it; undefined where it is not of that version. */
async function dump({ folder, server, url }: Workplace, name: string): Promise<string | undefined> {
  if (server === undefined || !existsSync(PG_DUMP_15)) return undefined;
  const file = join(folder, name);
  execFileSync(PG_DUMP_15, ['--dbname', pathOf(url), '--file', file], { env: environmentOf(url) });
  return await readFile(file, 'utf8');
}

function pathOf(url: Workplace['url']): string {
  return new URL(url.reveal()).pathname.slice(1);
}

function environmentOf(url: Workplace['url']): Record<string, string> {
  const { hostname, port, username, password } = new URL(url.reveal());
  return { PGHOST: hostname, PGPORT: port, PGUSER: username, PGPASSWORD: decodeURIComponent(password) };
}

/** Every row of the application's tables. */
async function allRows(pool: pg.Pool): Promise<ReadonlySet<string>> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'public' order by 1`,
  );
  const all = new Set<string>();
  for (const { name } of tables) {
    const { rows } = await pool.query<{ text: string }>(`select t::text as text from ${name} as t`);
    for (const { text } of rows) all.add(`${name} ${text}`);
  }
  return all;
}

/** The backup of before the erasure, in a database of its own: the person is back, then gone again, and nobody else is touched. */
async function restoreAndReplay(
  { t, folder, server, callOn }: Workplace,
  {
    subject,
    values,
    before,
    changed,
  }: {
    readonly subject: string;
    readonly values: readonly string[];
    readonly before: ReadonlySet<string>;
    readonly changed: ReadonlySet<string>;
  },
): Promise<void> {
  const { pool, url } = await testDatabase(t, server === undefined ? {} : { server });
  execFileSync(PSQL_15, ['--quiet', '--set', 'ON_ERROR_STOP=1', '--dbname', pathOf(url), '--file', join(folder, 'older.sql')], {
    env: environmentOf(url),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  assert.deepEqual(await allRows(pool), before, 'the copy is whole, the person is back');
  const planned = await callOn(url.reveal(), 'ledger', 'replay', '--plan');
  assert.deepEqual(
    planned.result.persons.map((person: { subject: string; state: string }) => [person.subject, person.state]),
    [[subject, 'planned']],
  );
  const replayed = await callOn(url.reveal(), 'ledger', 'replay', '--yes');
  assert.deepEqual(
    replayed.result.persons.map((person: { subject: string; state: string; error: string | null }) => [person.state, person.error]),
    [['done', null]],
    JSON.stringify(replayed.result),
  );
  for (const value of values) assert.deepEqual(await hits(pool, value), [], value);
  assert.deepEqual(before.difference(await allRows(pool)), changed, 'the same rows as the first time, and no other');
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
  const place = await workplace(t, fifteen());
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
  const place = await workplace(t, fifteen());
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
  const place = await workplace(t, fifteen());
  const file = join(place.folder, 'practice.db');
  await generatePractice({ file, size: 'small' });
  assert.equal((await place.call('import', 'sqlite', file, '--yes')).code, 0);
  await writeFile(place.mapFile, JSON.stringify(mapByLabels(await readCatalog(place.pool, { schemas: ['public'] }))));
  const { rows } = await place.pool.query<{ email: string; ssn: string }>(`select email, ssn from patients where id = 42`);
  const { email = '', ssn = '' } = rows[0] ?? {};
  const values = [email, ssn].filter((value) => value !== null && value !== '');
  await wholeWay(place, { query: email, subject: 'patient:42', values });
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
