import { randomBytes } from 'node:crypto';
import { isAbsolute, join, resolve } from 'node:path';
import { SafekeepError } from '@safekeep/core';
import { dataVersion } from './cluster.ts';
import { makeFolder, readIfPresent, writeWhole } from './files.ts';
import { canReach, type ServerUser } from './server-user.ts';

/** What is remembered between runs, in `<home>/embedded/server.json`; written before anything is made at the place it names. */
export type Remembered = {
  /** Tells this home from its copies. */
  readonly id: string;
  /** `embedded` for data inside the home, so that it moves with it; an absolute path for data outside. */
  readonly directory: string;
  /** Of the last start. Where it stands the server has served, so its data must be there. */
  readonly port?: number;
};

/** Kept beside data outside the home, in `home.json`: whose it is. */
type Owner = { readonly id: string; readonly home: string };

const INSIDE = 'embedded';

export async function readRemembered(home: string): Promise<Remembered | undefined> {
  const text = await readIfPresent(join(home, INSIDE, 'server.json'));
  // Written by `remember` below, replaced as a whole.
  return text === undefined ? undefined : (JSON.parse(text) as Remembered);
}

export async function remember(home: string, remembered: Remembered): Promise<void> {
  await writeWhole(join(home, INSIDE, 'server.json'), `${JSON.stringify(remembered)}\n`);
}

/** The folder that holds the server's `data` and `log`, whether or not server.json survived. `undefined` before the first start. */
export async function findDirectory(home: string): Promise<string | undefined> {
  const remembered = await readRemembered(home);
  if (remembered !== undefined) return resolve(home, remembered.directory);
  const inside = join(home, INSIDE);
  return (await dataVersion({ directory: inside })) === undefined ? undefined : inside;
}

/**
 * Where the data of this home lies; chosen, and remembered, at the first start.
 *
 * @throws `embedded-moved` when data was made for this home and is not there, or is another home's.
 */
export async function placeOf(home: string, options: PlaceOptions): Promise<Remembered> {
  const remembered = await readRemembered(home);
  if (remembered === undefined) return await choosePlace(home, options);
  const directory = resolve(home, remembered.directory);
  const missing = remembered.port !== undefined && (await dataVersion({ directory })) === undefined;
  if (missing || !(await ownsData(home, remembered))) throw new SafekeepError('embedded-moved', { home, path: directory });
  if (isAbsolute(remembered.directory)) await claim(home, remembered);
  return remembered;
}

type PlaceOptions = { readonly user: ServerUser | undefined; readonly runtimeDirectory: string };

async function choosePlace(home: string, { user, runtimeDirectory }: PlaceOptions): Promise<Remembered> {
  const inside = join(home, INSIDE);
  const id = randomBytes(16).toString('hex');
  const standsInside = (await dataVersion({ directory: inside })) !== undefined;
  // The password is made after server.json: data that it opens stands somewhere, and only server.json knew where.
  if (!standsInside && (await readIfPresent(join(inside, 'password'))) !== undefined) {
    throw new SafekeepError('embedded-moved', { home, path: inside });
  }
  const useInside = standsInside || (await canReach(inside, user));
  const chosen = { id, directory: useInside ? INSIDE : join(runtimeDirectory, 'homes', id) };
  await remember(home, chosen);
  if (!useInside) await claim(home, chosen);
  return chosen;
}

/** Whether the data that server.json names is this home's, and not that of the home it was copied from. */
export async function ownsData(home: string, { id, directory, port }: Remembered): Promise<boolean> {
  if (!isAbsolute(directory)) return true;
  const text = await readIfPresent(join(directory, 'home.json'));
  // Nothing was made there yet.
  if (text === undefined) return port === undefined;
  // Written by `claim` below, replaced as a whole.
  const owner = JSON.parse(text) as Owner;
  if (owner.id !== id) return false;
  // Under another name: moved when the old place is empty now, a copy when the home still stands there.
  return owner.home === home || (await readRemembered(owner.home))?.id !== id;
}

async function claim(home: string, { id, directory }: Remembered): Promise<void> {
  const owner: Owner = { id, home };
  await makeFolder(directory, 0o711);
  await writeWhole(join(directory, 'home.json'), `${JSON.stringify(owner)}\n`);
}
