import { createHash } from 'node:crypto';
import { chmod, mkdir, open, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { newId, SafekeepError, Secret } from '@safekeep/core';
import { quietServerLog } from '@safekeep/log';
import { codeOf } from '../connect/failures.ts';
import { openDatabase } from '../connect/open.ts';
import { findBinaries } from './binaries.ts';
import { CLUSTER_USER, dataDirectory, initialise, newPassword, postmasterPid, start, stop, type Cluster } from './cluster.ts';
import { withHomeLock, type HomeUsers } from './home-lock.ts';
import { canReach, serverUser } from './server-user.ts';

/** The right to use the home's server until released. The last one to leave stops the server. */
export type EmbeddedLease = {
  /** Superuser login; its database is `safekeep`. */
  readonly url: Secret;
  readonly port: number;
  /** Whether this call had to start the server. */
  readonly started: boolean;
  readonly release: () => Promise<void>;
  /** Lets the server run on after the last lease ends, until `stopEmbedded`. */
  readonly keepRunning: () => Promise<void>;
};

/** What is remembered between runs, in `<home>/embedded/server.json`. */
type Remembered = { readonly port: number; readonly directory: string };

export type EmbeddedOptions = {
  /** Shown to a second process that finds the home in use: `start`, `import sqlite`. */
  readonly purpose: string;
  /** Where programs and data go when the server's user cannot enter the home (it lies below a folder that only root may enter). */
  readonly runtimeDirectory?: string;
};

const RUNTIME_DIRECTORY = '/var/lib/safekeep';
const DATABASE = 'safekeep';
const BACKGROUND = 'background';
const LOG_SETTINGS = {
  logging_collector: 'on',
  log_filename: 'postgresql-%a.log',
  // A week of logs, each day's file overwritten a week later.
  log_truncate_on_rotation: 'on',
  log_rotation_age: '1d',
  log_rotation_size: '0',
  // Personal values and keys never reach the server's own log.
  ...quietServerLog,
};

/**
 * Opens the embedded server of a home: makes it on first use, starts it when it sleeps, shares it when it runs.
 *
 * Any number of processes may hold a lease at a time. A process that dies without releasing is noticed by the next one;
 * a server that it left running is simply used on.
 *
 * @throws `home-not-writable`, `embedded-not-installed`, `embedded-user`, `embedded-version`, `embedded-failed`, `disk-full`.
 */
export async function openEmbedded(home: string, options: EmbeddedOptions): Promise<EmbeddedLease> {
  await prepareHome(home);
  const runtimeDirectory = options.runtimeDirectory ?? RUNTIME_DIRECTORY;
  const lease = newId<'lease'>();
  const opened = await withHomeLock(home, async (users) => {
    refuseSecondStart(home, users, options.purpose);
    const cluster = await clusterOf(home, runtimeDirectory);
    const { port, started } = await ensureRunning(home, cluster);
    users.add(lease, options.purpose);
    return { cluster, port, started };
  });
  const url = new Secret(`postgres://${CLUSTER_USER}:${opened.cluster.password.reveal()}@127.0.0.1:${opened.port}/${DATABASE}`);
  let released = false;
  const release = async (): Promise<void> => {
    if (released) return;
    released = true;
    await withHomeLock(home, async (users) => {
      users.remove(lease);
      if (users.living().length === 0) await stop(opened.cluster);
    });
  };
  const keepRunning = (): Promise<void> =>
    withHomeLock(home, async (users) => {
      const pid = await postmasterPid(opened.cluster);
      // The server counts as a user of its own for as long as it runs.
      if (pid !== undefined) users.add(BACKGROUND, BACKGROUND, pid);
    });
  return { url, port: opened.port, started: opened.started, release, keepRunning };
}

/** Stops the server of a home whoever uses it. Returns the users that were cut off, or `undefined` where none ran. */
export async function stopEmbedded(
  home: string,
  options: Omit<EmbeddedOptions, 'purpose'> = {},
): Promise<readonly number[] | undefined> {
  if ((await readRemembered(home)) === undefined) return undefined;
  return await withHomeLock(home, async (users) => {
    const cluster = await clusterOf(home, options.runtimeDirectory ?? RUNTIME_DIRECTORY);
    if ((await postmasterPid(cluster)) === undefined) return undefined;
    const cutOff = users
      .living()
      .filter(isProcess)
      .map(({ pid }) => pid);
    await stop(cluster);
    return cutOff;
  });
}

/** Where the data of a home's server lies: inside the home, or outside where its user cannot enter. `undefined` before the first start. */
export async function embeddedDirectory(home: string): Promise<string | undefined> {
  return (await readRemembered(home))?.directory;
}

/** The processes that use a home now; a server that was left running is none of them. */
export async function usersOfHome(home: string): Promise<readonly { readonly pid: number; readonly purpose: string }[]> {
  return await withHomeLock(home, async (users) => users.living().filter(isProcess));
}

function isProcess({ purpose }: { readonly purpose: string }): boolean {
  return purpose !== BACKGROUND;
}

/** Makes the home: others may pass through (the server's user must reach its data) but not look; secrets in it are 0600. */
export async function prepareHome(home: string): Promise<void> {
  try {
    await mkdir(home, { recursive: true });
    await chmod(home, 0o711);
    await mkdir(join(home, 'embedded'), { recursive: true, mode: 0o711 });
    // Nothing of a home belongs into version control or a backup of the sources.
    await writeFile(join(home, '.gitignore'), '*\n');
  } catch (cause) {
    if (codeOf(cause) === 'ENOSPC') throw new SafekeepError('disk-full', { path: home }, { cause });
    throw new SafekeepError('home-not-writable', { path: home, reason: codeOf(cause) ?? 'unknown' }, { cause });
  }
}

function refuseSecondStart(home: string, users: HomeUsers, purpose: string): void {
  if (purpose !== 'start') return;
  const other = users.living().find((user) => user.purpose === 'start' && user.pid !== process.pid);
  if (other) throw new SafekeepError('already-running', { home, pid: other.pid });
}

async function clusterOf(home: string, runtimeDirectory: string): Promise<Cluster> {
  const user = await serverUser();
  const binaries = await findBinaries(user, runtimeDirectory);
  const directory = (await readRemembered(home))?.directory ?? (await chooseDirectory(home, user, runtimeDirectory));
  return {
    binaries,
    user,
    directory,
    password: await passwordOf(home, 'password'),
    settings: { ...LOG_SETTINGS, log_directory: join(directory, 'log') },
  };
}

async function chooseDirectory(home: string, user: Cluster['user'], runtimeDirectory: string): Promise<string> {
  const inside = join(home, 'embedded');
  if (await canReach(inside, user)) return inside;
  const name = createHash('sha256')
    .update(await realpath(home))
    .digest('hex')
    .slice(0, 16);
  return join(runtimeDirectory, 'homes', name);
}

async function ensureRunning(home: string, cluster: Cluster): Promise<{ readonly port: number; readonly started: boolean }> {
  const remembered = await readRemembered(home);
  if (remembered && (await postmasterPid(cluster)) !== undefined && (await answers(cluster, remembered.port))) {
    return { port: remembered.port, started: false };
  }
  const found = await dataVersion(cluster);
  const wanted = cluster.binaries.version.split('.')[0] ?? '';
  if (found !== undefined && found !== wanted) {
    throw new SafekeepError('embedded-version', { path: dataDirectory(cluster), found, wanted });
  }
  if (found === undefined || !(await isComplete(home))) await create(home, cluster);
  const port = await start(cluster, remembered?.port);
  await remember(home, { port, directory: cluster.directory });
  await createDatabase(cluster, port);
  return { port, started: true };
}

/** initdb, marked complete only at its end: what a kill left half made is thrown away and made again. It never held anything. */
async function create(home: string, cluster: Cluster): Promise<void> {
  await rm(dataDirectory(cluster), { recursive: true, force: true });
  await mkdir(dirname(cluster.directory), { recursive: true, mode: 0o755 });
  await initialise(cluster);
  await writeFile(completeMark(home), '');
}

function completeMark(home: string): string {
  return join(home, 'embedded', 'initialised');
}

function isComplete(home: string): Promise<boolean> {
  return readFile(completeMark(home)).then(
    () => true,
    () => false,
  );
}

async function createDatabase(cluster: Cluster, port: number): Promise<void> {
  const admin = await openDatabase(urlOf(cluster, port, 'postgres'), { embedded: true, retryForMs: 60_000 });
  try {
    await admin.withClient(async (client) => {
      const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE]);
      if (rowCount === 0) await client.query(`create database ${DATABASE}`);
    });
  } finally {
    await admin.close();
  }
}

async function answers(cluster: Cluster, port: number): Promise<boolean> {
  try {
    await (await openDatabase(urlOf(cluster, port, DATABASE), { embedded: true, poolMax: 1 })).close();
    return true;
  } catch {
    // Whatever is wrong with it, starting it will say so.
    return false;
  }
}

function urlOf(cluster: Cluster, port: number, database: string): Secret {
  return new Secret(`postgres://${CLUSTER_USER}:${cluster.password.reveal()}@127.0.0.1:${port}/${database}`);
}

async function dataVersion(cluster: Cluster): Promise<string | undefined> {
  const text = await readFile(join(dataDirectory(cluster), 'PG_VERSION'), 'utf8').catch(() => undefined);
  return text?.trim();
}

async function readRemembered(home: string): Promise<Remembered | undefined> {
  const text = await readFile(join(home, 'embedded', 'server.json'), 'utf8').catch(() => undefined);
  // Written by `remember` below, replaced as a whole.
  return text === undefined ? undefined : (JSON.parse(text) as Remembered);
}

async function remember(home: string, remembered: Remembered): Promise<void> {
  await writeWhole(join(home, 'embedded', 'server.json'), `${JSON.stringify(remembered)}\n`);
}

/** The password of the runtime login, made on first use, mode 0600. */
export function runtimePassword(home: string): Promise<Secret> {
  return passwordOf(home, 'runtime-password');
}

/** A password kept in the home, made on first use, mode 0600. */
async function passwordOf(home: string, file: string): Promise<Secret> {
  const path = join(home, 'embedded', file);
  const known = await readFile(path, 'utf8').catch(() => undefined);
  if (known !== undefined) return new Secret(known.trim());
  const made = newPassword();
  await writeWhole(path, made.reveal());
  return made;
}

/** Writes a file so that a crash leaves the old one or the new one, never a half. Mode 0600. */
async function writeWhole(path: string, text: string): Promise<void> {
  const half = `${path}.${process.pid}`;
  const file = await open(half, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(half, path);
}
