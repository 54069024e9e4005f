import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { isSafekeepError, Secret, type ErrorCode } from '@safekeep/core';
import { findBinaries } from '../embedded/binaries.ts';
import { initialise, newPassword, start, stop, type Cluster } from '../embedded/cluster.ts';
import { serverUser } from '../embedded/server-user.ts';
import { migrateUp } from '../migrations/run.ts';
import { testDatabase, testServers } from '../testing/index.ts';
import { operationFailure } from './failures.ts';
import { openDatabase } from './open.ts';
import { transaction } from './transaction.ts';

const quick = { poolMax: 1, retryForMs: 200, connectTimeoutMs: 2_000 };

async function refusal(url: string): Promise<ErrorCode> {
  try {
    await (await openDatabase(new Secret(url), quick)).close();
  } catch (error) {
    if (isSafekeepError(error)) return error.code;
    throw error;
  }
  throw new Error('It was expected to be refused');
}

test('an address where nobody listens, a server that never answers, and one that is no PostgreSQL are unreachable', async (t) => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  const chatty = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1');
  t.after(() => {
    silent.close();
    chatty.close();
  });
  const port = (server: typeof silent): number => {
    const address = server.address();
    assert.ok(typeof address === 'object' && address);
    return address.port;
  };
  assert.equal(await refusal('postgres://u:p@127.0.0.1:1/d'), 'database-unreachable');
  assert.equal(await refusal('postgres://u:p@nowhere.invalid/d?sslmode=disable'), 'database-unreachable');
  await assert.rejects(
    openDatabase(new Secret(`postgres://u:p@127.0.0.1:${port(silent)}/d?sslmode=disable`), { ...quick, connectTimeoutMs: 300 }),
    (error) => isSafekeepError(error, 'database-unreachable'),
  );
  await assert.rejects(openDatabase(new Secret(`postgres://u:p@127.0.0.1:${port(chatty)}/d`), quick), (error) =>
    isSafekeepError(error),
  );
  silent.close();
});

test('a connection that the server cuts is replaced at the next use', async (t) => {
  const { open, pool } = await testDatabase(t);
  const database = await open({ poolMax: 1, applicationName: 'to be cut' });
  const one = (): Promise<unknown> => database.withClient(async (client) => (await client.query('select 1 as one')).rows[0]);
  assert.deepEqual(await one(), { one: 1 });
  await pool.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'to be cut'`);
  await waitUntil(
    async () => (await pool.query(`select from pg_stat_activity where application_name = 'to be cut'`)).rowCount === 0,
  );
  assert.deepEqual(await one(), { one: 1 });
});

test('nothing of our own environment reaches a connection', async (t) => {
  const { open, url } = await testDatabase(t);
  const right = new URL(url.reveal());
  const without = new URL(right);
  without.password = '';
  const planted = { PGOPTIONS: '-c geqo=off', PGREPLICATION: 'database', PGSSLNEGOTIATION: 'direct', PGAPPNAME: 'x' };
  Object.assign(process.env, planted, { PGPASSWORD: right.password });
  try {
    const database = await open({ poolMax: 1 });
    const { rows } = await database.withClient((client) =>
      client.query(`select current_setting('geqo') as geqo, current_setting('application_name') as name`),
    );
    assert.deepEqual(rows, [{ geqo: 'on', name: 'safekeep' }]);
    assert.equal(await refusal(without.href), 'database-password-wrong');
  } finally {
    for (const name of [...Object.keys(planted), 'PGPASSWORD']) delete process.env[name];
  }
});

test('a database that accepts no connections, and a statement that the server cancelled, are told as such', async (t) => {
  const { pool, url } = await testDatabase(t);
  const closed = `test_${randomBytes(6).toString('hex')}`;
  await pool.query(`create database ${closed} allow_connections false`);
  t.after(() => withAdministrator(url, `drop database ${closed}`));
  const there = new URL(url.reveal());
  there.pathname = `/${closed}`;
  assert.equal(await refusal(there.href), 'database-closed');
  const cancelled = operationFailure(Object.assign(new Error('canceling statement'), { code: '57014' }), 'a migration');
  assert.ok(isSafekeepError(cancelled, 'statement-cancelled'));
});

test('a server that restarts is waited for: a second at the first connection, longer within a pool', async (t) => {
  const target = new URL(testServers()[0].url.reveal());
  const serverPort = Number(target.port);
  const port = await freePort();
  target.port = String(port);
  const sockets = new Set<Socket>();
  // A server in front of the server, which can be gone for a while.
  const gate = (): Server =>
    createServer((near) => {
      const far = createConnection(serverPort, '127.0.0.1');
      for (const socket of [near, far]) {
        sockets.add(socket);
        socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
      }
      near.pipe(far).pipe(near);
    });
  const shut = async (server: Server): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  const startedMs = performance.now();
  await assert.rejects(openDatabase(new Secret(target.href), { poolMax: 1, retryForMs: 30_000 }), (error) =>
    isSafekeepError(error, 'database-unreachable'),
  );
  assert.ok(performance.now() - startedMs < 5_000, 'where nobody listens it is said soon');
  const opening = openDatabase(new Secret(target.href), { poolMax: 1, retryForMs: 5_000 });
  const first = gate().listen(port, '127.0.0.1');
  const database = await opening;
  t.after(() => database.close());
  await shut(first);
  const asking = database.withClient((client) => client.query('select 1 as one'));
  const second = gate();
  // Later than the first attempts, which are refused.
  setTimeout(() => second.listen(port, '127.0.0.1'), 150);
  assert.deepEqual((await asking).rows, [{ one: 1 }]);
  await shut(second);
});

test('nothing of one transaction’s settings reaches the next one on the same connection', async (t) => {
  const { open } = await testDatabase(t, { migrated: true });
  const database = await open({ poolMax: 1 });
  await transaction(
    database,
    (client) => client.query('begin'),
    async (client) => {
      await client.query(`select safekeep.set_actor('dr-who', 'treatment', 'r1')`);
      const { rows } = await client.query(`select current_setting('safekeep.actor', true) as actor`);
      assert.deepEqual(rows, [{ actor: 'dr-who' }]);
    },
  );
  const { rows } = await database.withClient((client) =>
    client.query(`select nullif(current_setting('safekeep.actor', true), '') as actor`),
  );
  assert.deepEqual(rows, [{ actor: null }]);
});

describe('TLS', { skip: !existsSync('/usr/bin/openssl') && 'openssl is not installed' }, () => {
  let folder = '';
  let cluster: Cluster;
  let at = (_host: string, _parameters: string): string => '';

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'safekeep-tls-'));
    await chmod(folder, 0o711);
    makeCertificates(folder);
    const user = await serverUser();
    cluster = {
      binaries: await findBinaries(user, folder),
      user,
      directory: join(folder, 'server'),
      password: newPassword(),
      settings: { fsync: 'off', ssl: 'on', ssl_cert_file: 'server.crt', ssl_key_file: 'server.key' },
    };
    await initialise(cluster);
    for (const file of ['server.crt', 'server.key']) {
      const target = join(cluster.directory, 'data', file);
      await copyFile(join(folder, file), target);
      await chmod(target, 0o600);
      if (user) await chown(target, user.uid, user.gid);
    }
    const port = await start(cluster);
    at = (host, parameters) => `postgres://postgres:${cluster.password.reveal()}@${host}:${port}/postgres?${parameters}`;
  });
  after(async () => {
    await stop(cluster);
    await rm(folder, { recursive: true, force: true });
  });

  const tlsVersion = async (url: string): Promise<string | null> => {
    const database = await openDatabase(new Secret(url), quick);
    try {
      const { rows } = await database.withClient((client) =>
        client.query<{ version: string | null }>('select version from pg_stat_ssl where pid = pg_backend_pid()'),
      );
      return rows[0]?.version ?? null;
    } finally {
      await database.close();
    }
  };

  test('verify-full takes the right name with the right authority', async () => {
    assert.equal(await tlsVersion(at('localhost', `sslmode=verify-full&sslrootcert=${folder}/ca.crt`)), 'TLSv1.3');
  });
  test('verify-full refuses another name, verify-ca takes it', async () => {
    assert.equal(await refusal(at('127.0.0.1', `sslmode=verify-full&sslrootcert=${folder}/ca.crt`)), 'database-tls');
    assert.equal(await tlsVersion(at('127.0.0.1', `sslmode=verify-ca&sslrootcert=${folder}/ca.crt`)), 'TLSv1.3');
  });
  test('an unknown authority is refused by both', async () => {
    for (const mode of ['verify-ca', 'verify-full']) {
      assert.equal(await refusal(at('localhost', `sslmode=${mode}`)), 'database-tls');
      assert.equal(await refusal(at('localhost', `sslmode=${mode}&sslrootcert=${folder}/other.crt`)), 'database-tls');
    }
  });
  test('require that names an authority asks it, and the name may differ', async () => {
    assert.equal(await tlsVersion(at('127.0.0.1', `sslmode=require&sslrootcert=${folder}/ca.crt`)), 'TLSv1.3');
    assert.equal(await refusal(at('127.0.0.1', `sslmode=require&sslrootcert=${folder}/other.crt`)), 'database-tls');
  });
  test('a key that belongs to another certificate is a refusal about TLS', async () => {
    const client = `sslcert=${folder}/ca.crt&sslkey=${folder}/other.key`;
    assert.equal(await refusal(at('127.0.0.1', `sslmode=require&${client}`)), 'database-tls');
  });
  test('require and prefer encrypt without asking who it is; disable does not encrypt', async () => {
    assert.equal(await tlsVersion(at('127.0.0.1', 'sslmode=require')), 'TLSv1.3');
    assert.equal(await tlsVersion(at('127.0.0.1', 'sslmode=prefer')), 'TLSv1.3');
    assert.equal(await tlsVersion(at('127.0.0.1', 'sslmode=disable')), null);
  });
});

test('require refuses a server without TLS, prefer takes it as it is', async () => {
  const url = new URL(testServers()[0].url.reveal());
  url.searchParams.set('sslmode', 'require');
  assert.equal(await refusal(url.href), 'database-tls');
  url.searchParams.set('sslmode', 'prefer');
  await (await openDatabase(new Secret(url.href), quick)).close();
});

test(
  'migrations, transactions and settings work through pgBouncer in transaction mode',
  { skip: !existsSync('/usr/sbin/pgbouncer') && 'pgbouncer is not installed' },
  async (t) => {
    const { url, pool } = await testDatabase(t);
    const target = new URL(url.reveal());
    const folder = await mkdtemp(join(tmpdir(), 'safekeep-pgbouncer-'));
    await chmod(folder, 0o755);
    const user = await serverUser();
    const port = await freePort();
    await writeFile(join(folder, 'users.txt'), `"${target.username}" "${target.password}"\n`, { mode: 0o644 });
    await writeFile(
      join(folder, 'pgbouncer.ini'),
      `[databases]\n* = host=127.0.0.1 port=${target.port}\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=${port}\nunix_socket_dir=\nauth_type=plain\nauth_file=${folder}/users.txt\npool_mode=transaction\ndefault_pool_size=2\n`,
    );
    const bouncer = spawn('/usr/sbin/pgbouncer', [join(folder, 'pgbouncer.ini')], { ...user, cwd: '/', stdio: 'ignore' });
    try {
      target.port = String(port);
      const database = await openDatabase(new Secret(target.href), { poolMax: 8, retryForMs: 5_000 }).catch(async () => {
        await wait(500);
        return await openDatabase(new Secret(target.href), { poolMax: 8 });
      });
      try {
        assert.deepEqual((await migrateUp(database)).pending, []);
        // Twenty transactions over two server connections: each sees its own actor and nobody else's.
        await Promise.all(
          Array.from({ length: 20 }, (_, n) =>
            transaction(
              database,
              (client) => client.query('begin'),
              async (client) => {
                await client.query('select safekeep.set_actor($1)', [`actor-${n}`]);
                await client.query('select pg_sleep(0.01)');
                const { rows } = await client.query(`select current_setting('safekeep.actor') as actor`);
                assert.deepEqual(rows, [{ actor: `actor-${n}` }]);
              },
            ),
          ),
        );
      } finally {
        await database.close();
      }
    } finally {
      const ended = new Promise((done) => bouncer.once('exit', done));
      bouncer.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
      await waitUntil(
        async () =>
          (
            await pool.query(
              `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and application_name not like 'test %'`,
            )
          ).rowCount === 0,
      );
    }
  },
);

async function withAdministrator(url: Secret, statement: string): Promise<void> {
  const server = new URL(url.reveal());
  server.pathname = '/postgres';
  const database = await openDatabase(new Secret(server.href), quick);
  await database.withClient((client) => client.query(statement));
  await database.close();
}

async function waitUntil(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (await condition()) return;
    await wait(10);
  }
  throw new Error('The condition was not met in four seconds');
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** A server certificate for `localhost` signed by `ca.crt`, and an authority that has signed nothing. */
function makeCertificates(folder: string): void {
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  const authority = (name: string): void =>
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.crt`,
    );
  authority('ca');
  authority('other');
  openssl(
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    '/CN=localhost',
    '-addext',
    'subjectAltName=DNS:localhost',
    '-keyout',
    'server.key',
    '-out',
    'server.csr',
  );
  openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '2',
    '-copy_extensions',
    'copy',
    '-out',
    'server.crt',
  );
}
