import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import {
  encryptField,
  fieldKeys,
  fieldKeySource,
  finishField,
  keysOfHome,
  type FieldGround,
} from '@safekeep/capabilities/encryption';
import { parseColumnName, readConfiguration, Secret, systemClock } from '@safekeep/core';
import { migrateUp, openDatabase, type Database } from '@safekeep/postgres';

const execute = promisify(execFile);
const BINARIES = '/usr/lib/postgresql/15/bin';
const isRoot = process.getuid?.() === 0;

type User = { readonly uid: number; readonly gid: number };

/** PostgreSQL refuses to run as root; Debian's package made a user for it. */
async function serverUser(): Promise<User | undefined> {
  if (!isRoot) return undefined;
  const [uid = 0, gid = 0] = await Promise.all(
    ['-u', '-g'].map(async (flag) => Number((await execute('id', [flag, 'postgres'])).stdout)),
  );
  return { uid, gid };
}

async function freePort(): Promise<number> {
  const server = createServer().listen({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : assert.fail();
}

/** Servers of Debian's 15 below one folder, which all end with the test: what was begun last ends first. */
async function serversOf(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-servers-'));
  const user = await serverUser();
  if (user !== undefined) await chown(folder, user.uid, user.gid);
  await chmod(folder, 0o711);
  const run = async (program: string, ...args: string[]): Promise<void> => {
    await execute(join(BINARIES, program), args, { ...user, cwd: folder });
  };
  const endings: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  t.after(async () => {
    for (const end of endings.toReversed()) await end();
  });
  const start = async (name: string, settings: readonly string[]): Promise<string> => {
    const [port, data] = [await freePort(), join(folder, name)];
    const all = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories=', 'fsync=off', ...settings];
    const options = all.map((each) => `-c ${each}`).join(' ');
    await run('pg_ctl', 'start', '-w', '-D', data, '-l', join(folder, `${name}.log`), '-o', options);
    endings.push(() => run('pg_ctl', 'stop', '-w', '-m', 'immediate', '-D', data));
    return `postgres://postgres@127.0.0.1:${port}/postgres`;
  };
  return { folder, user, run, start, ending: (end: () => Promise<unknown>) => void endings.push(end) };
}

type Servers = Awaited<ReturnType<typeof serversOf>>;

/** Keys in a home of their own, and the way to move fields with them. */
async function groundOver({ folder, ending }: Servers, database: Database): Promise<FieldGround> {
  const home = join(folder, 'home');
  await mkdir(home);
  const configuration = readConfiguration({ flags: {}, environment: {}, file: {}, readFile: () => '' });
  const ring = keysOfHome({ home, configuration, clock: systemClock, say: () => undefined }, database);
  ending(() => ring.close());
  return {
    database,
    tenant: 'default',
    clock: systemClock,
    signal: new AbortController().signal,
    observe: () => undefined,
    keys: fieldKeys(fieldKeySource(ring)),
    leaseMs: 0,
  };
}

async function opened({ ending }: Servers, url: string): Promise<Database> {
  const database = await openDatabase(new Secret(url), { poolMax: 6 });
  ending(() => database.close());
  await migrateUp(database);
  return database;
}

const COLUMN = parseColumnName('public.people.email');
const ORDER = { column: COLUMN, mode: 'client', search: [], card: null, acceptLeak: false } as const;
const agree = async (): Promise<void> => undefined;

/** Waits for a condition that the server comes to by itself. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let look = 0; look < 600; look += 1) {
    if (await isSo()) return;
    await wait(100);
  }
  assert.fail('it never came to that');
}

test(
  'with a replica that lags and a slot that nobody reads a column is encrypted; what they hold is what the report says, and what comes later is sealed',
  {
    skip: existsSync(join(BINARIES, 'pg_basebackup')) ? false : 'skipped: no pg_basebackup of PostgreSQL 15 here',
    timeout: 300_000,
  },
  async (t) => {
    const servers = await serversOf(t);
    const { folder, run, start, ending } = servers;
    await run('initdb', '-D', join(folder, 'primary'), '-U', 'postgres', '--auth=trust', '--no-sync');
    const url = await start('primary', ['wal_level=logical']);
    const database = await opened(servers, url);
    const mark = `planted-${randomBytes(6).toString('hex')}`;
    const ask = async <Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> =>
      await database.withClient(async (client) => (await client.query<Row>(text, [...values])).rows);
    await ask('create table people (id integer primary key, email text)');
    const { port } = new URL(url);
    await run(
      'pg_basebackup',
      '-D',
      join(folder, 'replica'),
      '-R',
      '-X',
      'stream',
      '-h',
      '127.0.0.1',
      '-p',
      port,
      '-U',
      'postgres',
      '--checkpoint=fast',
    );
    await ask(`select pg_create_logical_replication_slot('reader', 'test_decoding')`);
    const replicaUrl = await start('replica', []);
    const replica = new pg.Pool({ connectionString: replicaUrl, max: 1 });
    ending(() => replica.end());
    const onReplica = async (text: string): Promise<unknown> => (await replica.query<{ n: unknown }>(text)).rows[0]?.n;
    await until(async () => (await ask('select from pg_stat_replication')).length === 1);
    await onReplica('select pg_wal_replay_pause() as n');
    await until(async () => (await onReplica('select pg_get_wal_replay_pause_state() as n')) === 'paused');
    await ask(`insert into people select n, $1 || '-' || n from generate_series(1, 3000) as n`, [mark]);

    const ground = await groundOver(servers, database);
    await encryptField(ground, ORDER, agree);
    const { field, residue } = await finishField(ground, COLUMN, agree);
    assert.equal(await onReplica('select count(*)::integer as n from people'), 0, 'the replica lags');
    const report = residue.join('\n');
    assert.match(report, /1 replica\(s\) hold it until they have caught up/);
    assert.match(report, /replication slots \(reader\) keep write-ahead log with it/);

    // What a reader of the slot gets: the plaintext of before, as was said, and of what an application writes from here on, none.
    const late = `late-${randomBytes(6).toString('hex')}`;
    const [sealed] = await ground.keys.seal(field, [`${late}@example.org`]);
    const decoded = async (): Promise<string> =>
      (await ask<{ data: string }>(`select data from pg_logical_slot_get_changes('reader', null, null)`))
        .map(({ data }) => data)
        .join('\n');
    assert.ok((await decoded()).includes(mark));
    await ask('insert into people (id, email_encrypted) values (9001, $1)', [sealed]);
    await ask('update people set email_encrypted = $1 where id = 7', [sealed]);
    await ask('delete from people where id = 8');
    const after = await decoded();
    assert.match(after, /9001/);
    assert.ok(!after.includes(late) && !after.includes(mark));

    await onReplica('select pg_wal_replay_resume() as n');
    // Once it has caught up it holds what the primary holds, which opens, and nothing else.
    await until(
      async () =>
        (await onReplica('select count(*)::integer as n from people where id = 9001 and email_encrypted is not null').catch(
          () => 0,
        )) === 1,
    );
    assert.equal(await onReplica('select count(email)::integer as n from people'), 0);
    const { rows } = await replica.query<{ id: number; email_encrypted: Buffer }>(
      'select id, email_encrypted from people order by id',
    );
    const values = await ground.keys.open(
      field,
      rows.map((row) => row.email_encrypted),
    );
    assert.deepEqual(
      values,
      rows.map(({ id }) => (id === 7 || id === 9001 ? `${late}@example.org` : `${mark}-${id}`)),
    );
  },
);

test(
  'a disk that is really full stops the encryption where it is; with more room the same command ends it, and no value is lost',
  {
    skip: isRoot && existsSync(join(BINARIES, 'postgres')) ? false : 'skipped: only root can mount a small disk',
    timeout: 300_000,
  },
  async (t) => {
    const servers = await serversOf(t);
    const { folder, user, run, start, ending } = servers;
    await run('initdb', '-D', join(folder, 'primary'), '-U', 'postgres', '--auth=trust', '--no-sync');
    const disk = join(folder, 'disk');
    await mkdir(disk);
    try {
      await execute('mount', ['-t', 'tmpfs', '-o', `size=3M,uid=${user?.uid ?? 0},gid=${user?.gid ?? 0},mode=0700`, 'tmpfs', disk]);
    } catch (error) {
      t.skip(`skipped: this root may not mount (${error instanceof Error ? error.message : ''})`);
      return;
    }
    ending(() => execute('umount', [disk]));
    const database = await opened(servers, await start('primary', ['wal_level=minimal', 'max_wal_senders=0']));
    const ask = async (text: string) => await database.withClient(async (client) => (await client.query(text)).rows);
    await ask(`create tablespace small location '${disk}'`);
    await ask('create table people (id integer primary key, email text) tablespace small');
    await ask(`insert into people select n, 'person' || n || '@example.org' from generate_series(1, 20000) as n`);
    const ground = await groundOver(servers, database);
    await assert.rejects(encryptField(ground, ORDER, agree), /No space left on device/);
    // The application still reads and what was committed stands.
    assert.deepEqual(await ask('select count(email)::integer as n from people'), [{ n: 20_000 }]);
    await execute('mount', ['-o', 'remount,size=200M', disk]);
    const { field } = await encryptField(ground, ORDER, agree);
    assert.equal(field.phase, 'switched');
    await finishField(ground, COLUMN, agree);
    const rows = await database.withClient(
      async (client) =>
        (await client.query<{ id: number; email_encrypted: Buffer }>('select id, email_encrypted from people order by id')).rows,
    );
    const values = await ground.keys.open(
      field,
      rows.map((row) => row.email_encrypted),
    );
    assert.deepEqual(
      values,
      Array.from({ length: 20_000 }, (_, place) => `person${place + 1}@example.org`),
    );
  },
);
