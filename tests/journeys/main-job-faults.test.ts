import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { migrateUp } from '@safekeep/postgres';
import { testDatabase } from '@safekeep/postgres/testing';
import { safekeep, temporaryHome } from 'safekeep/testing';

async function job(t: TestContext) {
  const folder = await temporaryHome(t);
  const place = ['--home', join(folder, 'home'), '--map', join(folder, 'datamap.yaml'), '--yes', '--json'];
  const demo = async (...args: string[]) => {
    const { code, stdout, stderr } = await safekeep(['demo', ...args, ...place]);
    const result = JSON.parse(stdout);
    const steps: readonly { name: string; detail: string }[] = result.steps ?? [];
    return { code, stderr, error: result.error, said: Object.fromEntries(steps.map(({ name, detail }) => [name, detail])) };
  };
  const call = async (...args: string[]) => await safekeep([...args, ...place]);
  return { folder, demo, call };
}

function sqliteFile(path: string, statements: string): string {
  const database = new DatabaseSync(path);
  database.exec(statements);
  database.close();
  return path;
}

const STRUCTURE = `select coalesce(string_agg(c.oid::regclass::text || c.relnatts, ',' order by 1), '') as structure,
  (select count(*)::integer from pg_trigger) as triggers from pg_class c where c.relnamespace = 'public'::regnamespace`;

test('a file without any person in it comes over, and is told to have nobody in it', async (t) => {
  const { folder, demo } = await job(t);
  const file = sqliteFile(
    join(folder, 'tides.db'),
    `CREATE TABLE tides (id INTEGER PRIMARY KEY, height REAL, at TEXT); INSERT INTO tides VALUES (1, 2.5, '2026-01-01'), (2, 3.5, '2026-01-02')`,
  );
  const { code, stderr, said } = await demo('--sqlite', file);
  assert.equal(code, 0, stderr);
  assert.match(said['import'] ?? '', /1 tables, 2 rows moved and proven equal/);
  assert.match(said['scan'] ?? '', /^0 of 3 columns are personal, 0 kind/);
  assert.match(said['export'] ?? '', /nobody is exported: the map names no table of people$/);
  assert.match(said['erase'] ?? '', /nobody is erased: the map names no table of people$/);
  assert.equal(said['proof'], 'no paper to verify yet: nobody was erased, and nobody exported');
});

test('a second file gets a home and a map of its own, nothing of the first is touched, and a home that is named serves one file', async (t) => {
  const folder = await temporaryHome(t);
  const people = (name: string): string =>
    sqliteFile(
      join(folder, name),
      `CREATE TABLE people (id INTEGER PRIMARY KEY, full_name TEXT, email TEXT); INSERT INTO people VALUES (1, 'Ada Quennell', 'ada@${name}')`,
    );
  const demo = async (...args: string[]) => {
    const { code, stdout, stderr } = await safekeep(['demo', '--yes', '--json', ...args], { cwd: folder });
    return { code, stderr, result: JSON.parse(stdout) };
  };
  const [first, second] = [await demo('--sqlite', people('one.db')), await demo('--sqlite', people('two.db'))];
  assert.deepEqual([first.code, second.code], [0, 0], first.stderr + second.stderr);
  assert.deepEqual([first.result.home, first.result.options], [join(folder, '.safekeep'), '']);
  const [home, map] = [join(folder, '.safekeep-two'), join(folder, 'datamap-two.yaml')];
  assert.deepEqual([second.result.home, second.result.options], [home, ` --home ${home} --map ${map}`]);
  assert.ok(second.result.steps.some(({ detail }: { detail: string }) => detail.includes(`--home ${home} --map ${map}\``)));
  assert.match(second.stderr, /home {7}\S+\.safekeep-two, with \S+datamap-two\.yaml: \S+ is for other data/);
  const found = async (...place: string[]) =>
    (await safekeep(['subject', 'find', 'ada', '--json', ...place], { cwd: folder })).stdout.match(/"subject": "[^"]+"/g);
  assert.deepEqual(
    [await found(), await found('--home', home, '--map', map)],
    [['"subject": "people:1"'], ['"subject": "people:1"']],
  );
  const named = await demo('--sqlite', join(folder, 'one.db'), '--home', home);
  assert.deepEqual([named.code, named.result.error.code], [2, 'home-of-another']);

  // Of a file that changed nothing comes over what is protected: whoever was erased would be back.
  new DatabaseSync(join(folder, 'one.db')).exec(`INSERT INTO people VALUES (2, 'Ben Cole', 'ben@one.db')`);
  const changed = await demo('--sqlite', join(folder, 'one.db'));
  assert.deepEqual([changed.code, changed.result.error.code], [1, 'import-replace-protected']);
});

test('an empty file, one that is no database and one that is not there are refused, and nothing is imported', async (t) => {
  const { folder, demo } = await job(t);
  const { writeFile } = await import('node:fs/promises');
  const text = join(folder, 'letter.db');
  await writeFile(text, 'Dear Sir or Madam, '.repeat(500));
  for (const file of [text, join(folder, 'missing.db')]) {
    const { code, error } = await demo('--sqlite', file);
    assert.equal(code, 2, file);
    assert.notEqual(error.code, 'internal', error.message);
  }
});

test('a file that cannot be moved is refused before the database that it was for is touched', async (t) => {
  const { folder, demo } = await job(t);
  const { pool, url } = await testDatabase(t);
  const nothing = sqliteFile(join(folder, 'nothing.db'), 'CREATE TABLE t (x); DROP TABLE t');
  const { error } = await demo('--sqlite', nothing, '--db', url.reveal());
  assert.equal(error.code, 'import-source-no-tables');
  const { rows } = await pool.query(`select count(*)::integer as n from pg_namespace where nspname like 'safekeep%'`);
  assert.deepEqual(rows, [{ n: 0 }]);
});

test('Ctrl-C at a question ends the command as interrupted, with nothing changed', async (t) => {
  const { folder } = await job(t);
  const { pool, url } = await testDatabase(t);
  // util-linux: a terminal for a program that is run by another.
  const program = [join(import.meta.dirname, '../../packages/cli/bin/safekeep.mjs'), 'demo', '--home', join(folder, 'home')];
  const child = spawn('script', ['-qec', [process.execPath, ...program].map((word) => `'${word}'`).join(' '), '/dev/null'], {
    env: { ...process.env, SAFEKEEP_DATABASE_URL: url.reveal() },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const asked = said.includes('Go on?');
    said += chunk.toString();
    if (!asked && said.includes('Go on?')) child.stdin.write('\u0003');
  });
  const ended = await Promise.race([
    once(child, 'close').then(([code]) => Number(code)),
    once(child, 'error').then(([error]) => String(error)),
  ]);
  if (typeof ended === 'string') return t.skip(`no script(1) here: ${ended}`);
  assert.equal(ended, 130, said);
  assert.match(said, /error interrupted/);
  const { rows } = await pool.query(`select count(*)::integer as n from pg_namespace where nspname like 'safekeep%'`);
  assert.deepEqual(rows, [{ n: 0 }]);
});

test('tables without a primary key are scanned, logged and told of, and nobody of them is erased by a guess', async (t) => {
  const { pool, url } = await testDatabase(t);
  await pool.query(`create table patients (id integer, full_name text, email text, ssn text);
    insert into patients select n, 'Person ' || n, 'p' || n || '@example.org', '536-90-' || (1000 + n) from generate_series(1, 80) as n;
    create table guests (full_name text, email text); insert into guests select 'Guest ' || n, 'g' || n || '@example.org' from generate_series(1, 80) as n;
    create table visits (patient_id integer, note text); insert into visits select n, 'seen' from generate_series(1, 80) as n; analyze`);
  const { demo } = await job(t);
  const { code, stderr, said, error } = await demo('--db', url.reveal());
  assert.equal(code, 0, `${stderr} ${JSON.stringify(error)}`);
  assert.match(
    said['map'] ?? '',
    /leads to no person, so that nobody is exported from or erased in them: public\.guests\. Name the table of people under `subjects:`/,
  );
  assert.doesNotMatch(said['erase'] ?? '', /in one transaction/);
  const { rows } = await pool.query(`select count(*)::integer as n from patients where full_name like 'Person %'`);
  assert.deepEqual(rows, [{ n: 80 }]);
});

test('a login that may only read is refused with what it needs, and nothing was changed', async (t) => {
  const endings: (() => Promise<unknown>)[] = [];
  t.after(async () => {
    for (const end of endings.toReversed()) await end();
  });
  const made = await testDatabase();
  endings.push(() => made[Symbol.asyncDispose]());
  const { pool, url } = made;
  const login = `reader_${randomBytes(4).toString('hex')}`;
  await pool.query(`create table patients (id integer primary key, email text); insert into patients values (1, 'a@example.org');
    create role ${login} login password 'reader'; grant select on patients to ${login}; revoke temporary on database ${new URL(url.reveal()).pathname.slice(1)} from public`);
  endings.push(() => pool.query(`drop owned by ${login}; drop role ${login}`));
  const { rows: before } = await pool.query(STRUCTURE);
  const { demo } = await job(t);
  const reader = new URL(url.reveal());
  [reader.username, reader.password] = [login, 'reader'];
  const { code, error } = await demo('--db', reader.href);
  assert.equal(code, 2, JSON.stringify(error));
  assert.match(error.code, /^(privilege-missing|extension-missing)$/);
  assert.match(error.remedy, /GRANT|CREATE EXTENSION/);
  await pool.query(`alter role ${login} set default_transaction_read_only = on`);
  const second = await demo('--db', reader.href);
  assert.equal(second.code, 2);
  assert.match(second.error.code, /^(database-read-only|privilege-missing|extension-missing)$/);
  assert.deepEqual((await pool.query(STRUCTURE)).rows, before);
});

test('a database where an older Safekeep is applied is taken on; one of a newer Safekeep is refused and left alone', async (t) => {
  const { pool, url, database } = await testDatabase(t);
  await pool.query(`create table patients (id integer primary key, full_name text, email text);
    insert into patients select n, 'Person ' || n, 'p' || n || '@example.org' from generate_series(1, 80) as n; analyze`);
  await migrateUp(database, { to: '0009' });
  const { demo, call } = await job(t);
  const first = await demo('--db', url.reveal());
  assert.equal(first.code, 0, first.stderr);
  assert.equal((await call('status', '--db', url.reveal())).code, 0);
  // Without its URL the home gets no empty database of its own that would be answered for in its place.
  const urlLeftOut = await call('status');
  assert.deepEqual([urlLeftOut.code, JSON.parse(urlLeftOut.stdout).error?.code], [2, 'home-of-another']);
  await pool.query(`insert into safekeep.migration_history
    select (jsonb_populate_record(h, jsonb_build_object('id', gen_random_uuid(), 'step', h.step + 1, 'version', '9999', 'name', 'of_tomorrow'))).*
      from safekeep.migration_history h order by step desc limit 1`);
  const { rows: before } = await pool.query(STRUCTURE);
  const second = await demo('--db', url.reveal());
  assert.equal(second.code, 2);
  assert.equal(second.error.code, 'migration-newer');
  assert.deepEqual((await pool.query(STRUCTURE)).rows, before);
});

test('a file with values that PostgreSQL cannot hold is not called proven; put aside as the remedy says, the job goes on', async (t) => {
  const { folder, demo, call } = await job(t);
  const file = sqliteFile(
    join(folder, 'guests.db'),
    `CREATE TABLE guests (id INTEGER PRIMARY KEY, email TEXT); INSERT INTO guests VALUES (1, 'a@example.org'), (2, 'b' || char(0) || '@example.org')`,
  );
  const { code, error } = await demo('--sqlite', file);
  assert.deepEqual([code, error.code], [1, 'import-not-proven']);
  assert.match(error.message, /Nothing of it stands under its final names/);
  assert.equal((await call('url')).code, 0);
  const planned = await call('import', 'sqlite', file, '--plan');
  assert.match(planned.stdout, /guests/);
  assert.equal((await call('import', 'sqlite', file, '--on-invalid', 'quarantine')).code, 0);
  const { said, stderr } = await demo('--sqlite', file);
  assert.match(said['import'] ?? '', /came over before, and proven/, stderr);
});

test('a connection that others can read fails the last check, and a log that was changed is not called proven', async (t) => {
  const { pool, url } = await testDatabase(t);
  await pool.query(`create table patients (id integer primary key, full_name text, email text);
    insert into patients select n, 'Person ' || n, 'p' || n || '@example.org' from generate_series(1, 80) as n; analyze`);
  const { demo, call } = await job(t);
  // An address that is this machine and does not look like it.
  const open = new URL(url.reveal());
  open.hostname = '0.0.0.0';
  open.searchParams.set('sslmode', 'disable');
  const unfit = await demo('--db', open.href);
  assert.deepEqual([unfit.code, unfit.error?.code], [2, 'unhealthy'], unfit.stderr);
  assert.match(unfit.error.message, /tls: the connection is not encrypted/);
  const doctor = await call('doctor', '--db', open.href);
  assert.equal(doctor.code, 1, 'what the remedy names says the same');
  assert.match(doctor.stdout, /the connection is not encrypted/);
  const fit = await demo('--db', url.reveal());
  assert.equal(fit.code, 0, fit.stderr);

  await pool.query(`set session_replication_role = 'replica';
    delete from safekeep.audit_events where ctid = (select ctid from safekeep.audit_events limit 1); set session_replication_role = 'origin'`);
  const unproven = await demo('--db', url.reveal());
  assert.deepEqual([unproven.code, unproven.error?.code], [1, 'unproven'], unproven.stderr);
  assert.match(unproven.error.message, /not proven: the log/);
  assert.match(unproven.error.remedy, /^`safekeep audit verify` shows it in full/);
  const verified = await call('audit', 'verify', '--db', url.reveal());
  assert.equal(verified.code, 1);
  assert.notDeepEqual(JSON.parse(verified.stdout).faults, []);
});
