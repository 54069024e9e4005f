import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { SafekeepError, Secret } from '@safekeep/core';
import type { Binaries } from './binaries.ts';
import type { ServerUser } from './server-user.ts';

const execute = promisify(execFile);

/** The superuser of an embedded server. */
export const CLUSTER_USER = 'postgres';

/** One data directory of PostgreSQL with what is needed to run it. */
export type Cluster = {
  readonly binaries: Binaries;
  readonly user: ServerUser | undefined;
  /** Holds `data/` and `log/`, both owned by the server's user. */
  readonly directory: string;
  readonly password: Secret;
  /** Server settings beside our own, e.g. `{ fsync: 'off' }` for a server that lives as long as a test run. */
  readonly settings: Readonly<Record<string, string>>;
};

const PORT_TRIES = 5;
// After a kill -9 of the postmaster its orphaned backends need a moment to notice and leave.
const ORPHAN_TRIES = 40;
const ORPHAN_PAUSE_MS = 250;
const START_TIMEOUT_S = 120;
const LOG_TAIL_LINES = 8;

/** A password of 192 random bits, safe in a URL. */
export function newPassword(): Secret {
  return new Secret(randomBytes(24).toString('base64url'));
}

export function dataDirectory(cluster: Pick<Cluster, 'directory'>): string {
  return join(cluster.directory, 'data');
}

/** Makes the data directory: UTF-8, checksums, the C.UTF-8 locale that is alike on every machine, password login only. */
export async function initialise(cluster: Cluster): Promise<void> {
  const { directory, user } = cluster;
  const passwordFile = join(directory, 'initdb-password');
  await mkdir(directory, { recursive: true, mode: 0o711 });
  for (const folder of [dataDirectory(cluster), join(directory, 'log')]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    if (user) await chown(folder, user.uid, user.gid);
  }
  try {
    await writeFile(passwordFile, cluster.password.reveal(), { mode: 0o600 });
    if (user) await chown(passwordFile, user.uid, user.gid);
    const durable = cluster.settings['fsync'] === 'off' ? ['--no-sync'] : [];
    await runProgram(cluster, cluster.binaries.initdb, [
      `--pgdata=${dataDirectory(cluster)}`,
      `--username=${CLUSTER_USER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--data-checksums',
      '--encoding=UTF8',
      ...localeArguments(cluster.binaries),
      ...durable,
    ]);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** Starts the server on `preferredPort` if that is free, else on another; waits until it answers. Returns the port. */
export async function start(cluster: Cluster, preferredPort?: number): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort(attempt === 1 ? preferredPort : undefined);
    const failure = await tryStart(cluster, port);
    if (failure === undefined) return port;
    if (/could not bind|Address already in use/.test(failure) && attempt < PORT_TRIES) continue;
    if (/pre-existing shared memory block|is still in use|lock file .* already exists/.test(failure) && attempt < ORPHAN_TRIES) {
      await wait(ORPHAN_PAUSE_MS);
      continue;
    }
    throw startFailure(cluster, failure);
  }
}

/** Stops the server: open sessions are ended and rolled back (`fast`), nothing is lost. No error if it does not run. */
export async function stop(cluster: Cluster): Promise<void> {
  if (!(await postmasterPid(cluster))) return;
  try {
    await runProgram(cluster, cluster.binaries.pgCtl, [
      'stop',
      '-D',
      dataDirectory(cluster),
      '-m',
      'fast',
      '-w',
      '-t',
      String(START_TIMEOUT_S),
    ]);
  } catch (error) {
    // It ended between the question and the order.
    if (await postmasterPid(cluster)) throw error;
  }
}

/** The process id of the running server; `undefined` where none runs (a stale postmaster.pid counts as none). */
export async function postmasterPid(cluster: Pick<Cluster, 'directory'>): Promise<number | undefined> {
  const text = await readFile(join(dataDirectory(cluster), 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number(text.split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  try {
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    // EPERM: it runs, as somebody else.
    return error instanceof Error && 'code' in error && error.code === 'EPERM' ? pid : undefined;
  }
}

async function tryStart(cluster: Cluster, port: number): Promise<string | undefined> {
  const log = startLog(cluster);
  await rm(log, { force: true });
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    // TCP with a password only: a socket file would need a folder of its own, and path lengths are limited to 107 bytes.
    unix_socket_directories: '',
    password_encryption: 'scram-sha-256',
    ...cluster.settings,
  };
  const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${shellQuote(value)}`);
  try {
    await runProgram(cluster, cluster.binaries.pgCtl, [
      'start',
      '-D',
      dataDirectory(cluster),
      '-l',
      log,
      '-w',
      '-t',
      String(START_TIMEOUT_S),
      '-o',
      options.join(' '),
    ]);
    return undefined;
  } catch (error) {
    const tail = (await readFile(log, 'utf8').catch(() => '')).trim().split('\n').slice(-LOG_TAIL_LINES).join('\n');
    return tail === '' && error instanceof Error ? error.message : tail;
  }
}

function startLog(cluster: Cluster): string {
  return join(cluster.directory, 'log', 'start.log');
}

function startFailure(cluster: Cluster, failure: string): SafekeepError {
  if (failure.includes('No space left on device')) return new SafekeepError('disk-full', { path: cluster.directory });
  const fatal = failure.split('\n').findLast((line) => /FATAL|PANIC|error/i.test(line)) ?? failure;
  return new SafekeepError('embedded-failed', { reason: fatal.trim(), log: startLog(cluster) });
}

async function runProgram(cluster: Cluster, program: string, args: readonly string[]): Promise<void> {
  try {
    await execute(program, args, {
      ...cluster.user,
      cwd: cluster.directory,
      // Nothing of our environment (it may hold secrets) is the server's business. Messages in English: we read them.
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' },
      maxBuffer: 4 * 1024 * 1024,
    });
  } catch (error) {
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    if (output.includes('No space left on device'))
      throw new SafekeepError('disk-full', { path: cluster.directory }, { cause: error });
    throw new SafekeepError(
      'embedded-failed',
      { reason: output.trim().split('\n').slice(-3).join(' '), log: startLog(cluster) },
      { cause: error },
    );
  }
}

/** PostgreSQL 17 brought a built-in C.UTF-8; before it the system's locales are asked for the same. */
function localeArguments({ version }: Binaries): readonly string[] {
  return Number(version.split('.')[0]) >= 17
    ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C']
    : ['--locale=C.UTF-8'];
}

function shellQuote(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}

/** A port of 127.0.0.1 that is free now; `preferred` if that one is. */
async function freePort(preferred?: number): Promise<number> {
  const tryPort = (port: number): Promise<number | undefined> =>
    new Promise((done) => {
      const server = createServer();
      server.once('error', () => done(undefined));
      server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
        const address = server.address();
        server.close(() => done(typeof address === 'object' && address ? address.port : undefined));
      });
    });
  const port = (preferred === undefined ? undefined : await tryPort(preferred)) ?? (await tryPort(0));
  if (port === undefined) throw new Error('The system has no free port on 127.0.0.1');
  return port;
}
