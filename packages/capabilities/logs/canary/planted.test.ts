import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { systemClock } from '@safekeep/core';
import { openLog, quietServerLog, type OpenLog } from '@safekeep/log';
import { assertNoCanaries, CANARIES, findCanaries } from '@safekeep/log/testing';
import { testDatabase, testServers, type TestDatabase } from '@safekeep/postgres/testing';

type Client = Parameters<Parameters<TestDatabase['database']['withClient']>[0]>[0];
type Statement = { readonly text: string; readonly values?: readonly unknown[] };

const value = Object.fromEntries(CANARIES.map((canary) => [canary.kind, canary.value])) as Record<
  (typeof CANARIES)[number]['kind'],
  string
>;

const SCHEMA = `
  create table person (email text primary key, name text not null, age integer check (age > 0), born date);
  create table visit (email text references person, note varchar(10));
  create function refuse() returns trigger language plpgsql as $$
    begin
      raise warning 'refused %', new.email;
      raise exception 'no visit for %', new.email using detail = new.note, hint = new.email, errcode = 'P0001';
    end $$;
  create trigger refuse before insert on visit for each row when (new.note = 'refuse') execute function refuse();
  insert into person values ('${value.email}', '${value.name}', 41, '${value.birth}');`;

/** Statements that PostgreSQL refuses, quoting a value in message, detail, hint, context or statement. */
const REFUSED: readonly Statement[] = [
  { text: 'insert into person values ($1, $2, 1)', values: [value.email, value.name] },
  { text: `insert into person values ('${value.email}', '${value.name}', 1)` },
  { text: 'insert into person (email, name, age) values ($1, $2, -1)', values: [value.phone, value.name] },
  { text: 'insert into person (email) values ($1)', values: [value.address] },
  { text: 'insert into visit values ($1)', values: [value.name] },
  { text: 'insert into visit values ($1, $2)', values: [value.email, value.note] },
  { text: 'insert into visit values ($1, $2)', values: [value.email, 'refuse'] },
  { text: 'select $1::integer', values: [value.ssn] },
  { text: 'select $1::uuid', values: [value.key] },
  { text: 'select $1::date', values: [value.card] },
  { text: 'select cast(name as integer) from person' },
  { text: `select '${value.iban}' from nothing` },
  { text: `select ${value.surname}` },
  { text: `create role nobody login password '${value.password}' syntax error` },
  { text: `do $$ begin execute 'select ' || quote_literal('${value.note}') || '::integer'; end $$` },
  { text: `copy person from program '/bin/false ${value.surname}'` },
];

/** A connection of its own whose part of the server's log is as these settings say. */
async function withSettings(
  { database }: TestDatabase,
  settings: Readonly<Record<string, string>>,
  run: (client: Client) => Promise<void>,
): Promise<void> {
  await database.withClient(async (client) => {
    // Ended from the other side in one of the tests; the statement in hand is rejected as well.
    client.on('error', () => undefined);
    for (const [name, setting] of Object.entries(settings)) await client.query(`set ${name} = '${setting}'`);
    await run(client);
  });
}

async function openInFolder(t: TestContext): Promise<{ readonly log: OpenLog; readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-log-'));
  const log = openLog({ directory: folder, level: 'trace', clock: systemClock, component: 'test' });
  t.after(() => rm(folder, { recursive: true }));
  t.after(() => log.close());
  return { log, folder };
}

async function logRefusal(log: OpenLog, statement: Promise<unknown>): Promise<void> {
  await assert.rejects(statement, (error) => {
    log.error('statement-refused', { error, wrapped: 1 });
    log.child({ attempt: 1 }).error('statement-refused', { error: new Error(String(error), { cause: error }) });
    return true;
  });
}

for (const server of testServers()) {
  test(`what PostgreSQL ${server.name} quotes of rows and parameters reaches neither our log nor, when quiet, its own`, async (t) => {
    const database = await testDatabase(t, { server });
    const { log, folder } = await openInFolder(t);
    await withSettings(database, quietServerLog, async (client) => {
      await client.query(SCHEMA);
      for (const { text, values = [] } of REFUSED) await logRefusal(log, client.query(text, [...values]));
    });
    const lines = (await readFile(join(folder, 'safekeep.log'), 'utf8')).trimEnd().split('\n');
    assert.equal(lines.length, REFUSED.length * 2);
    for (const line of lines) assert.match(line, /"code":"[0-9A-Z]{5}"/);
    await assertNoCanaries([folder, server.logDirectory]);
  });

  test(`a statement that PostgreSQL ${server.name} makes wait, or ends, is not shown in its log`, async (t) => {
    const database = await testDatabase(t, { server });
    const { log, folder } = await openInFolder(t);
    const impatient = { ...quietServerLog, log_lock_waits: 'on', deadlock_timeout: '10ms', lock_timeout: '100ms' };
    await withSettings(database, quietServerLog, async (holder) => {
      await holder.query(SCHEMA);
      await holder.query(`begin; update person set age = 42 where email = '${value.email}'`);
      await withSettings(database, impatient, async (waiter) => {
        await logRefusal(log, waiter.query(`update person set name = '${value.address}' where email = $1`, [value.email]));
        const { rows } = await waiter.query<{ pid: number }>('select pg_backend_pid() as pid');
        const ended = logRefusal(log, waiter.query(`select pg_sleep(60), '${value.password}', $1::text`, [value.key]));
        await holder.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
        await ended;
      });
    });
    await assertNoCanaries([folder, server.logDirectory]);
  });

  test(`the search would have found it: PostgreSQL ${server.name} does quote values where it is not quiet`, async (t) => {
    const database = await testDatabase(t, { server });
    const control = { kind: 'control', value: `Mortimer Blenkinsopp-${server.name}` };
    await withSettings(database, { log_min_messages: 'warning' }, async (client) => {
      await assert.rejects(client.query('select $1::integer', [control.value]));
    });
    const findings = await findCanaries([server.logDirectory], [control]);
    assert.ok(findings.length > 0);
  });
}
