import { access, chmod, constants, readdir, realpath, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { codeOf, newId, SafekeepError, Secret } from '@safekeep/core';
import { quietServerLog } from '@safekeep/log';
import { operationFailure } from '../connect/failures.ts';
import { openDatabase } from '../connect/open.ts';
import { findBinaries } from './binaries.ts';
import {
  CLUSTER_USER,
  dataDirectory,
  dataVersion,
  findPostmaster,
  initialise,
  newPassword,
  start,
  stop,
  type Cluster,
} from './cluster.ts';
import { makeFolder, readIfPresent, writeWhole } from './files.ts';
import { withHomeLock, type HomeUsers } from './home-lock.ts';
import { findDirectory, ownsData, placeOf, readRemembered, remember } from './place.ts';
import { serverUser } from './server-user.ts';

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

export type EmbeddedOptions = {
  /** Shown to a second process that finds the home in use: `start`, `import sqlite`. */
  readonly purpose: string;
  /** Where programs and data go when the server's user cannot enter the home (it lies below a folder that only root may enter). */
  readonly runtimeDirectory?: string;
};

const RUNTIME_DIRECTORY = '/var/lib/safekeep';
const DATABASE = 'safekeep';
const BACKGROUND = 'background';
// What Safekeep itself puts into a home, some of it before the server's first start.
const OURS = new Set([
  '.gitignore',
  'audit',
  'certificates',
  'embedded',
  'exports',
  'keys',
  'ledger',
  'log',
  'main-job.json',
  'reports',
  'runtime',
  'sample',
]);
// A disk of its own for the home is as good as an empty folder.
const DISK = 'lost+found';
const LOG_SETTINGS = {
  logging_collector: 'on',
  // Relative to the data directory, so that it moves with the home.
  log_directory: '../log',
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
 * @throws `home-not-writable`, `home-occupied`, `home-unfit`, `embedded-moved`, `embedded-not-installed`, `embedded-user`,
 * `embedded-version`, `embedded-failed`, `runtime-unsafe`, `disk-full`.
 */
export async function openEmbedded(folder: string, options: EmbeddedOptions): Promise<EmbeddedLease> {
  await prepareHome(folder);
  // One name for a home whatever links lead to it.
  const home = await realpath(folder);
  const lease = newId<'lease'>();
  const opened = await withHomeLock(home, async (users) => {
    refuseSecondStart(home, users, options.purpose);
    const cluster = await clusterOf(home, options.runtimeDirectory ?? RUNTIME_DIRECTORY);
    const { port, started } = await ensureRunning(home, cluster);
    users.add(lease, options.purpose);
    return { cluster, port, started };
  });
  const url = urlOf(opened.cluster, opened.port, DATABASE);
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
      const running = await findPostmaster(opened.cluster);
      // The server counts as a user of its own for as long as it runs.
      if (running) users.add(BACKGROUND, BACKGROUND, running.pid);
    });
  return { url, port: opened.port, started: opened.started, release, keepRunning };
}

/** Stops the server of a home whoever uses it. Returns the users that were cut off, or `undefined` where none ran. */
export async function stopEmbedded(
  folder: string,
  options: Omit<EmbeddedOptions, 'purpose'> = {},
): Promise<readonly number[] | undefined> {
  if (!(await mayHaveUsers(folder))) return undefined;
  const home = await realpath(folder);
  return await withHomeLock(home, async (users) => {
    const directory = await findDirectory(home);
    const remembered = await readRemembered(home);
    if (directory === undefined || (remembered !== undefined && !(await ownsData(home, remembered)))) return undefined;
    const user = await serverUser(dataDirectory({ directory }));
    if ((await findPostmaster({ directory, user })) === undefined) return undefined;
    const cutOff = users
      .living()
      .filter(isProcess)
      .map(({ pid }) => pid);
    await stop(await clusterOf(home, options.runtimeDirectory ?? RUNTIME_DIRECTORY));
    return cutOff;
  });
}

/** Where the data of a home's server lies: inside the home, or outside where its user cannot enter. `undefined` before the first start. */
export async function embeddedDirectory(home: string): Promise<string | undefined> {
  return await findDirectory(resolve(home));
}

/** The processes that use a home now; a server that was left running is none of them. */
export async function usersOfHome(home: string): Promise<readonly { readonly pid: number; readonly purpose: string }[]> {
  if (!(await mayHaveUsers(home))) return [];
  return await withHomeLock(home, async (users) => users.living().filter(isProcess));
}

/** Every user was written into the lock file: where there is none, or none can be written, nobody is. */
async function mayHaveUsers(home: string): Promise<boolean> {
  try {
    await access(join(home, 'home.lock'), constants.R_OK | constants.W_OK);
    return true;
  } catch (cause) {
    const reason = codeOf(cause) ?? 'unknown';
    if (['ENOENT', 'ENOTDIR', 'EROFS'].includes(reason)) return false;
    throw new SafekeepError('home-not-writable', { path: home, reason }, { cause });
  }
}

function isProcess({ purpose }: { readonly purpose: string }): boolean {
  return purpose !== BACKGROUND;
}

/**
 * Makes the home: others may pass through (the server's user must reach its data) but not look; secrets in it are 0600.
 * A folder that stands keeps its mode, and one that holds somebody else's files is refused untouched.
 */
export async function prepareHome(home: string): Promise<void> {
  if (/[\n\r]/.test(resolve(home))) throw new SafekeepError('home-unfit', { path: home, reason: 'its path holds a line break' });
  try {
    await makeFolder(home, 0o711);
    await requireHome(home);
    await makeFolder(join(home, 'embedded'), 0o711);
    await ignoreInSources(home);
  } catch (cause) {
    if (cause instanceof SafekeepError) throw cause;
    if (codeOf(cause) === 'ENOSPC') throw new SafekeepError('disk-full', { path: home }, { cause });
    throw new SafekeepError('home-not-writable', { path: home, reason: codeOf(cause) ?? 'unknown' }, { cause });
  }
}

async function requireHome(home: string): Promise<void> {
  const entries = await readdir(home);
  if (
    !entries.includes('home.lock') &&
    !entries.every((entry) => OURS.has(entry) || entry === DISK || entry.startsWith('home.lock'))
  ) {
    throw new SafekeepError('home-occupied', { path: home });
  }
  // Whoever may write here could put another database in the place of ours.
  if (((await stat(home)).mode & 0o002) !== 0) {
    throw new SafekeepError('home-unfit', { path: home, reason: 'every user of this machine may write to it' });
  }
}

/** Nothing of a home belongs into version control or a backup of the sources. */
async function ignoreInSources(home: string): Promise<void> {
  const path = join(home, '.gitignore');
  try {
    await writeFile(path, '*\n', { flag: 'wx', mode: 0o644 });
    await chmod(path, 0o644);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

function refuseSecondStart(home: string, users: HomeUsers, purpose: string): void {
  if (purpose !== 'start') return;
  const other = users.living().find((user) => user.purpose === 'start' && user.pid !== process.pid);
  if (other) throw new SafekeepError('already-running', { home, pid: other.pid });
}

async function clusterOf(home: string, runtimeDirectory: string): Promise<Cluster> {
  const known = await findDirectory(home);
  const user = await serverUser(known === undefined ? undefined : dataDirectory({ directory: known }));
  const binaries = await findBinaries(user, runtimeDirectory);
  const { directory } = await placeOf(home, { user, runtimeDirectory });
  return {
    binaries,
    user,
    directory: resolve(home, directory),
    password: await passwordOf(home, 'password'),
    settings: LOG_SETTINGS,
  };
}

async function ensureRunning(home: string, cluster: Cluster): Promise<{ readonly port: number; readonly started: boolean }> {
  const remembered = await readRemembered(home);
  if (remembered === undefined) throw new Error('The place of the data is remembered before the server starts');
  const running = await findPostmaster(cluster);
  if (running !== undefined && running.port === remembered.port && (await answers(cluster, running.port))) {
    return { port: running.port, started: false };
  }
  const found = await dataVersion(cluster);
  const wanted = cluster.binaries.version.split('.')[0] ?? '';
  if (found !== undefined && found !== wanted) {
    throw new SafekeepError('embedded-version', { path: dataDirectory(cluster), found, wanted });
  }
  if (found === undefined) await initialise(cluster);
  const port = await start(cluster, remembered.port);
  try {
    await createDatabase(cluster, port);
    await remember(home, { ...remembered, port });
  } catch (error) {
    // On a full disk, for one. Nobody is written down as its user yet, so nobody would stop it.
    await stop(cluster);
    throw operationFailure(error, 'making the database of the home');
  }
  return { port, started: running === undefined };
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

/** The password of the runtime login, made on first use, mode 0600. */
export function runtimePassword(home: string): Promise<Secret> {
  return passwordOf(home, 'runtime-password');
}

/** A password kept in the home, made on first use, mode 0600. */
async function passwordOf(home: string, file: string): Promise<Secret> {
  const path = join(home, 'embedded', file);
  const known = await readIfPresent(path);
  if (known !== undefined) return new Secret(known.trim());
  const made = newPassword();
  await writeWhole(path, made.reveal());
  return made;
}
