import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { testDatabase } from '@safekeep/postgres/testing';
import { safekeep, temporaryHome } from './testing/safekeep.ts';

function errorOf(stdout: string): { code: string; message: string; remedy: string } {
  const { error } = JSON.parse(stdout);
  assert.deepEqual(Object.keys(error), ['code', 'message', 'remedy']);
  return error;
}

test('the version is printed and nothing else', async () => {
  const { code, stdout, stderr } = await safekeep(['--version']);
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: '0.1.0\n', stderr: '' });
});

test('without a word the help names every command', async () => {
  const { code, stdout } = await safekeep([]);
  assert.equal(code, 0);
  for (const word of [
    'init',
    'start',
    'stop',
    'url',
    'doctor',
    'migrate',
    '--db',
    '--home',
    '--tenant',
    '--map',
    '--yes',
    '--json',
  ]) {
    assert.ok(stdout.includes(word), word);
  }
});

for (const args of [
  ['migrat', 'up'],
  ['migrate'],
  ['migrate', 'down'],
  ['doctor', '--frob'],
  ['completion', 'tcsh'],
  ['url', 'extra'],
]) {
  test(`"${args.join(' ')}" is a usage error: exit 2, nothing but one JSON document on stdout`, async () => {
    const { code, stdout, stderr } = await safekeep([...args, '--json']);
    assert.equal(code, 2);
    assert.equal(errorOf(stdout).code, 'usage');
    assert.match(stderr, /^error usage: /);
  });
}

test('every bad setting is listed at once and no secret is shown', async () => {
  const { code, stdout, stderr } = await safekeep(['doctor', '--json'], {
    environment: {
      SAFEKEEP_PORT: 'many',
      SAFEKEEP_TENANT: 'NO SPACES',
      SAFEKEEP_HOMEE: 'x',
      SAFEKEEP_DATABASE_URL_FILE: '/nowhere',
      SAFEKEEP_DIRECT_URL: 'postgres://u:canary-password@h/d',
    },
  });
  assert.equal(code, 2);
  const { message } = errorOf(stdout);
  assert.match(message, /4 problem/);
  for (const part of ['SAFEKEEP_PORT', 'SAFEKEEP_TENANT', 'did you mean SAFEKEEP_HOME?', 'SAFEKEEP_DATABASE_URL_FILE'])
    assert.ok(message.includes(part), part);
  assert.ok(!`${stdout}${stderr}`.includes('canary-password'));
});

test('a database that does not answer: exit 2 with a remedy, and doctor says it as a failed check with exit 1', async (t) => {
  const home = await temporaryHome(t);
  const db = ['--home', home, '--db', 'postgres://someone:canary-password@127.0.0.1:1/none', '--json'];
  const migrate = await safekeep(['migrate', 'up', ...db]);
  assert.equal(migrate.code, 2);
  assert.equal(errorOf(migrate.stdout).code, 'database-unreachable');
  const doctor = await safekeep(['doctor', ...db]);
  assert.equal(doctor.code, 1);
  const states = new Map(JSON.parse(doctor.stdout).checks.map(({ name, state }: { name: string; state: string }) => [name, state]));
  assert.equal(states.get('database'), 'fail');
  assert.equal(states.get('tls'), 'not-evaluable');
  assert.ok(!JSON.stringify([migrate, doctor]).includes('canary-password'));
});

test('a wrong password and a missing database are told apart', async (t) => {
  const home = await temporaryHome(t);
  const { url } = await testDatabase(t);
  const wrong = new URL(url.reveal());
  wrong.password = 'wrong';
  const missing = new URL(url.reveal());
  missing.pathname = '/nowhere';
  for (const [address, expected] of [
    [wrong, 'database-password-wrong'],
    [missing, 'database-missing'],
  ] as const) {
    const { code, stdout } = await safekeep(['migrate', 'status', '--home', home, '--json'], {
      environment: { SAFEKEEP_DATABASE_URL: address.href },
    });
    assert.equal(code, 2);
    assert.equal(errorOf(stdout).code, expected);
  }
});

test('migrate up, status, down and up on a database of the user', async (t) => {
  const home = await temporaryHome(t);
  const { url } = await testDatabase(t);
  const call = async (...args: string[]) => {
    const { code, stdout, stderr } = await safekeep([...args, '--home', home, '--json'], {
      environment: { SAFEKEEP_DATABASE_URL: url.reveal() },
    });
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  };
  const up = await call('migrate', 'up');
  assert.deepEqual(up.pending, []);
  assert.deepEqual((await call('migrate', 'status')).current, up.current);
  assert.equal((await call('migrate', 'down', '0', '--yes')).current, '0000');
  const again = await call('migrate', 'up');
  assert.equal(again.current, up.current);
  assert.deepEqual(Object.keys(again.history[0]), ['version', 'name', 'direction', 'at', 'sha256']);
});

test('taking the schema of a user’s database back needs consent where nobody can be asked', async (t) => {
  const home = await temporaryHome(t);
  const { url } = await testDatabase(t, { migrated: true });
  const { code, stdout } = await safekeep(['migrate', 'down', '0', '--home', home, '--json'], {
    environment: { SAFEKEEP_DATABASE_URL: url.reveal() },
  });
  assert.equal(code, 2);
  assert.equal(errorOf(stdout).code, 'consent-needed');
});

test('url leaves a server running that other commands share, and stop ends it', async (t) => {
  const home = await temporaryHome(t);
  const first = await safekeep(['url', '--home', home]);
  assert.equal(first.code, 0, first.stderr);
  const client = new pg.Client({ connectionString: first.stdout.trim() });
  await client.connect();
  const { rows } = await client.query(
    `select current_setting('data_checksums') as sums, current_setting('listen_addresses') as listens, current_setting('log_parameter_max_length') as logged`,
  );
  await client.end();
  assert.deepEqual(rows, [{ sums: 'on', listens: '127.0.0.1', logged: '0' }]);

  const doctor = await safekeep(['doctor', '--home', home, '--json']);
  assert.equal(doctor.code, 0, doctor.stdout);
  assert.equal((await safekeep(['url', '--home', home])).stdout, first.stdout, 'the port is kept');

  const stop = await safekeep(['stop', '--home', home, '--json']);
  assert.deepEqual(JSON.parse(stop.stdout), { stopped: true, processes: [] });
  await assert.rejects(new pg.Client({ connectionString: first.stdout.trim() }).connect());
  assert.deepEqual(JSON.parse((await safekeep(['stop', '--home', home, '--json'])).stdout), { stopped: false, processes: [] });
});

test('secrets of a home are readable by their owner only', async (t) => {
  const home = await temporaryHome(t);
  assert.equal((await safekeep(['migrate', 'up', '--home', home])).code, 0);
  for (const file of ['embedded/password', 'embedded/server.json', 'home.lock']) {
    assert.equal((await stat(join(home, file))).mode & 0o077, 0, file);
  }
});

test('a home that cannot be written is refused with the remedy, and doctor says it as a failed check', async (t) => {
  const folder = await temporaryHome(t);
  await writeFile(join(folder, 'file'), '');
  const home = join(folder, 'file', 'home');
  const migrate = await safekeep(['migrate', 'up', '--home', home, '--json']);
  assert.equal(migrate.code, 2);
  assert.equal(errorOf(migrate.stdout).code, 'home-not-writable');
  const doctor = await safekeep(['doctor', '--home', home, '--json']);
  assert.equal(doctor.code, 1);
  assert.deepEqual(
    JSON.parse(doctor.stdout)
      .checks.filter(({ state }: { state: string }) => state === 'fail')
      .map(({ name }: { name: string }) => name),
    ['home'],
  );
});

test('init writes a private configuration that loads, and refuses to replace it', async (t) => {
  const folder = await temporaryHome(t);
  const first = await safekeep(['init', '--json'], { cwd: folder });
  assert.equal(first.code, 0, first.stderr);
  const file = join(folder, 'safekeep.env');
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.match(await readFile(file, 'utf8'), /#SAFEKEEP_DATABASE_URL=/);
  assert.equal(errorOf((await safekeep(['init', '--json'], { cwd: folder })).stdout).code, 'file-exists');

  await writeFile(file, 'SAFEKEEP_PORT=zero\n');
  const broken = await safekeep(['doctor', '--json'], { cwd: folder });
  assert.equal(errorOf(broken.stdout).code, 'configuration-invalid');
});

test('a folder that only root may enter is no obstacle', { skip: process.getuid?.() !== 0 && 'only root meets it' }, async (t) => {
  const folder = await temporaryHome(t);
  const closed = join(folder, 'closed');
  const runtime = join(folder, 'runtime');
  await mkdir(closed, { mode: 0o700 });
  await mkdir(runtime, { mode: 0o711 });
  await chmod(closed, 0o700);
  const home = join(closed, 'home');
  const environment = { SAFEKEEP_RUNTIME_DIRECTORY: runtime };
  const { code, stdout, stderr } = await safekeep(['doctor', '--home', home, '--json'], { environment });
  assert.equal(code, 0, stdout + stderr);
  assert.ok(JSON.parse(await readFile(join(home, 'embedded', 'server.json'), 'utf8')).directory.startsWith(runtime));
});

for (const shell of ['bash', 'zsh', 'fish']) {
  test(`completion for ${shell} knows commands and flags`, async () => {
    const { code, stdout } = await safekeep(['completion', shell]);
    assert.equal(code, 0);
    for (const word of ['migrate', 'doctor', '--json']) assert.ok(stdout.includes(word), word);
  });
}

test('a reader that goes away changes nothing of how a command ends, and no server is left running', async (t) => {
  const home = await temporaryHome(t);
  const { code } = await safekeep(['migrate', 'history', '--home', home], { closeStdout: true });
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse((await safekeep(['stop', '--home', home, '--json'])).stdout), { stopped: false, processes: [] });
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`${signal} ends a worker with its work done, and no server is left running`, async (t) => {
    const home = await temporaryHome(t);
    const ended = await safekeep(['start', '--role', 'worker', '--home', home], {
      onStderr: (text, kill) => {
        if (text.includes('takes jobs')) kill(signal);
      },
    });
    assert.equal(ended.code, 0, ended.stderr);
    assert.deepEqual(JSON.parse((await safekeep(['stop', '--home', home, '--json'])).stdout), { stopped: false, processes: [] });
  });
}

test('a worker refuses the login of a superuser on a database of the user', async (t) => {
  const home = await temporaryHome(t);
  const { url } = await testDatabase(t, { migrated: true });
  const { code, stdout } = await safekeep(['start', '--role', 'worker', '--home', home, '--json'], {
    environment: { SAFEKEEP_DATABASE_URL: url.reveal() },
  });
  assert.equal(code, 2);
  assert.equal(errorOf(stdout).code, 'runtime-role-too-strong');
});

test('a configuration file that cannot be read stops the command instead of being left out', async (t) => {
  const folder = await temporaryHome(t);
  await mkdir(join(folder, 'safekeep.env'));
  const { code, stdout } = await safekeep(['doctor', '--json'], { cwd: folder });
  assert.equal(code, 2);
  assert.equal(errorOf(stdout).code, 'file-unreadable');
});

test(
  'where root finds no user who could run PostgreSQL, and can make none, nothing is made',
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async (t) => {
    const folder = await temporaryHome(t);
    const home = join(folder, 'home');
    // A system without id, useradd and adduser.
    const { code, stdout } = await safekeep(['migrate', 'up', '--home', home, '--json'], { environment: { PATH: folder } });
    const { code: error, message } = errorOf(stdout);
    assert.deepEqual([code, error], [2, 'embedded-user']);
    assert.match(message, /refuses to run as root/);
    await assert.rejects(stat(join(home, 'embedded', 'data')), { code: 'ENOENT' });
    const { code: after } = await safekeep(['migrate', 'up', '--home', home]);
    assert.equal(after, 0);
  },
);

/** Makes the Node that reads the launcher take itself for one that is too old for the program. */
const OLD_NODE = 'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.0.0"}})';

function launchedByOldNode(...args: readonly string[]) {
  const bin = join(import.meta.dirname, 'bin', 'safekeep.mjs');
  const child = spawn(process.execPath, ['--import', OLD_NODE, bin, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  return { child, closed: once(child, 'close') };
}

test('where an older Node hands over to another, that one ends with it when it is killed', async () => {
  const { child, closed } = launchedByOldNode('detect', '--json', '--structured');
  child.stdin.write('{"text":"to ann@example.org"}\n'.repeat(2_000));
  await once(child.stdout, 'data');
  child.stdout.resume();
  child.kill('SIGKILL');
  // Not before everybody has closed stdout who had it: what goes on reads more, for stdin is open.
  assert.deepEqual(await closed, [null, 'SIGKILL']);
  child.stdin.destroy();
});

for (const [args, code] of [
  [['--version'], 0],
  [['frob'], 2],
] as const)
  test(`where an older Node hands over to another, it ends with the exit code of that one (${args[0]}: ${code})`, async () => {
    const { child, closed } = launchedByOldNode(...args);
    child.stdout.resume();
    assert.deepEqual(await closed, [code, null]);
  });
