import { execFile, type ExecFileOptions } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, open, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { SafekeepError, Secret } from '@safekeep/core';
import { syncFolder } from '@safekeep/files';
import type { Binaries } from './binaries.ts';
import { makeFolder, readIfPresent } from './files.ts';
import { worksIn } from './processes.ts';
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
const LOG_TAIL_LINES = 20;
const LOG_TAIL_BYTES = 16 * 1024;
// Relative to `directory`, where pg_ctl runs: it hands paths to a shell in double quotes, which would run a $(…) in them.
const DATA = 'data';
const START_LOG = 'log/start.log';

/** A password of 192 random bits, safe in a URL. */
export function newPassword(): Secret {
  return new Secret(randomBytes(24).toString('base64url'));
}

export function dataDirectory(cluster: Pick<Cluster, 'directory'>): string {
  return join(cluster.directory, DATA);
}

/** The major version that made the data; `undefined` where there is none. A data directory with this file is whole. */
export async function dataVersion(cluster: Pick<Cluster, 'directory'>): Promise<string | undefined> {
  return (await readIfPresent(join(dataDirectory(cluster), 'PG_VERSION')))?.trim();
}

/**
 * Makes the data directory: UTF-8, checksums, the C.UTF-8 locale that is alike on every machine, password login only.
 *
 * It is made under another name and renamed when it is whole. What a kill left half made is thrown away: it never held
 * anything. `data` itself is never removed.
 */
export async function initialise(cluster: Cluster): Promise<void> {
  const { directory } = cluster;
  await makeFolder(directory, 0o711);
  await removeHalves(directory);
  const half = `${DATA}.${process.pid}.half`;
  await makeServerFolder(cluster, half);
  await makeServerFolder(cluster, 'log');
  await runInitdb(cluster, half);
  await rename(join(directory, half), dataDirectory(cluster));
  if (isDurable(cluster)) await syncFolder(directory);
}

async function removeHalves(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    // The initdb of a process that was killed may still be writing.
    if (name.endsWith('.half')) await rm(join(directory, name), { recursive: true, force: true, maxRetries: 10 });
  }
}

async function makeServerFolder({ directory, user }: Cluster, name: string): Promise<void> {
  await makeFolder(join(directory, name), 0o700);
  if (user) await chown(join(directory, name), user.uid, user.gid);
}

async function runInitdb(cluster: Cluster, data: string): Promise<void> {
  const { directory, user, binaries } = cluster;
  const passwordFile = `password.${process.pid}.half`;
  const passwordPath = join(directory, passwordFile);
  try {
    await writeFile(passwordPath, cluster.password.reveal(), { mode: 0o600 });
    if (user) await chown(passwordPath, user.uid, user.gid);
    await runProgram(cluster, binaries.initdb, [
      `--pgdata=${data}`,
      `--username=${CLUSTER_USER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--data-checksums',
      '--encoding=UTF8',
      ...localeArguments(binaries),
      ...(isDurable(cluster) ? [] : ['--no-sync']),
    ]);
  } finally {
    await rm(passwordPath, { force: true });
  }
}

function isDurable({ settings }: Cluster): boolean {
  return settings['fsync'] !== 'off';
}

/**
 * Starts the server on `preferredPort` if that is free, else on another; waits until it answers. Returns the port.
 * A server of this data directory that runs meanwhile (started by a process that was killed before it could tell) is taken.
 */
export async function start(cluster: Cluster, preferredPort?: number): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const running = await findPostmaster(cluster);
    if (running) return running.port;
    await disownStranger(cluster);
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
  // pg_ctl signals the process that postmaster.pid names, whoever that is by now: ask first.
  if (!(await findPostmaster(cluster))) return;
  try {
    await runProgram(cluster, cluster.binaries.pgCtl, ['stop', '-D', DATA, '-m', 'fast', '-w', '-t', String(START_TIMEOUT_S)]);
  } catch (error) {
    // It ended between the question and the order.
    if (await findPostmaster(cluster)) throw error;
  }
}

/** The running server of this data directory; `undefined` where postmaster.pid is missing, stale, or names another process by now. */
export async function findPostmaster(
  cluster: Pick<Cluster, 'directory' | 'user'>,
): Promise<{ readonly pid: number; readonly port: number } | undefined> {
  const text = await readIfPresent(pidFile(cluster));
  if (text === undefined) return undefined;
  // PostgreSQL manual, "Database File Layout": process, data directory, start (Unix time), port, …
  const [pid = 0, , startedS = 0, port = 0] = text.split('\n').map(Number);
  if (!(pid > 0 && port > 0)) return undefined;
  const data = await realpath(dataDirectory(cluster));
  return (await worksIn(pid, data, { startedMs: startedS * 1000, user: cluster.user })) ? { pid, port } : undefined;
}

/**
 * A stale postmaster.pid whose number belongs to another process by now would keep PostgreSQL from starting. It takes the
 * number of the process that called pg_ctl for stale, so ours is put there: removing the file would also remove the
 * note of the shared memory, by which PostgreSQL finds out that backends of a killed server are still at work.
 */
async function disownStranger(cluster: Cluster): Promise<void> {
  const text = await readIfPresent(pidFile(cluster));
  if (text !== undefined) await writeFile(pidFile(cluster), text.replace(/^\d+/, String(process.pid)));
}

function pidFile(cluster: Pick<Cluster, 'directory'>): string {
  return join(dataDirectory(cluster), 'postmaster.pid');
}

async function tryStart(cluster: Cluster, port: number): Promise<string | undefined> {
  await rm(startLog(cluster), { force: true });
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    // TCP with a password only: a socket file would need a folder of its own, and path lengths are limited to 107 bytes.
    unix_socket_directories: '',
    password_encryption: 'scram-sha-256',
    ...cluster.settings,
  };
  const options = Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${shellQuote(value)}`)
    .join(' ');
  const sinceMs = Date.now();
  try {
    await execute(
      cluster.binaries.pgCtl,
      ['start', '-D', DATA, '-l', START_LOG, '-w', '-t', String(START_TIMEOUT_S), '-o', options],
      surroundings(cluster),
    );
    return undefined;
  } catch (error) {
    const logged = await loggedSince(cluster, sinceMs);
    return logged === '' ? outputOf(error) : logged;
  }
}

function startLog(cluster: Cluster): string {
  return join(cluster.directory, START_LOG);
}

/** What a failed start logged: first to the start log, then, once the logging collector has taken over, to a file of its own. */
async function loggedSince({ directory }: Cluster, sinceMs: number): Promise<string> {
  const folder = join(directory, 'log');
  const found: { readonly text: string; readonly changedMs: number }[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const { mtimeMs } = await stat(path);
    // A file system may keep whole seconds only.
    if (mtimeMs < sinceMs - 1000) continue;
    found.push({ text: await endOf(path), changedMs: path.endsWith(START_LOG) ? 0 : mtimeMs });
  }
  return found
    .toSorted((one, other) => one.changedMs - other.changedMs)
    .flatMap(({ text }) => text.trim().split('\n').slice(-LOG_TAIL_LINES))
    .join('\n')
    .trim();
}

/** A day's log may be large: only its end is read. */
async function endOf(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(LOG_TAIL_BYTES),
      position: Math.max(0, size - LOG_TAIL_BYTES),
    });
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

function startFailure(cluster: Cluster, failure: string): SafekeepError {
  if (failure.includes('No space left on device')) return new SafekeepError('disk-full', { path: cluster.directory });
  const lines = failure.split('\n');
  const fatal = lines.findLast((line) => /FATAL|PANIC/.test(line)) ?? lines.findLast((line) => /error/i.test(line)) ?? failure;
  return new SafekeepError('embedded-failed', {
    // Without the time and process that stand before it in the log.
    reason: fatal.replace(/^.*?(?=FATAL|PANIC)/, '').trim(),
    log: startLog(cluster),
  });
}

async function runProgram(cluster: Cluster, program: string, args: readonly string[]): Promise<void> {
  try {
    await execute(program, args, surroundings(cluster));
  } catch (error) {
    const output = outputOf(error);
    if (output.includes('No space left on device'))
      throw new SafekeepError('disk-full', { path: cluster.directory }, { cause: error });
    throw new SafekeepError(
      'embedded-failed',
      { reason: output.trim().split('\n').slice(-3).join(' '), log: startLog(cluster) },
      { cause: error },
    );
  }
}

function surroundings({ user, directory }: Cluster): ExecFileOptions {
  return {
    ...user,
    cwd: directory,
    // Nothing of our environment (it may hold secrets) is the server's business. Messages in English: we read them.
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' },
    maxBuffer: 4 * 1024 * 1024,
  };
}

function outputOf(error: unknown): string {
  return error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
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
