import type pg from 'pg';
import { diffMaps, isSafekeepError, SafekeepError, type Clock, type DataMap } from '@safekeep/core';
import { inTenant, type Database } from '@safekeep/postgres';
import type { Version } from '../model.ts';
import { insertVersion, lockVersions, readVersion, readVersions, textSha256, type StoredVersion } from '../store.ts';
import { readMapText, type MapText } from '../text/document.ts';
import { loadMap } from './map-file.ts';

type Recording = { readonly tenant: string; readonly author: string; readonly clock: Clock };

/** Keeps a map as the newest version, with what it changed. The newest again is not kept twice. */
export async function recordMapVersion(
  database: Database,
  map: Pick<MapText, 'map' | 'text'>,
  { tenant, author, clock }: Recording,
): Promise<{ readonly recorded: boolean; readonly version: Version }> {
  return inTenant(database, tenant, async (client) => {
    await lockVersions(client, tenant);
    const newest = await readVersion(client, tenant);
    if (newest?.sha256 === textSha256(map.text)) {
      const { text: _text, ...version } = newest;
      return { recorded: false, version };
    }
    const changes = newest === undefined ? ['the first version'] : changesSince(newest, map.map);
    const version = await insertVersion(client, tenant, {
      number: (newest?.number ?? 0) + 1,
      at: clock.now(),
      author,
      text: map.text,
      changes,
    });
    return { recorded: true, version };
  });
}

/** In words. A version that an older Safekeep took and this one refuses must not stop the mended map from being kept. */
function changesSince(newest: StoredVersion, map: DataMap): readonly string[] {
  try {
    const before = readMapText(newest.text, `version ${newest.number}`);
    return diffMaps(before.map, map).map(({ text }) => text);
  } catch (error) {
    if (!isSafekeepError(error, 'map-invalid')) throw error;
    return [`version ${newest.number} can no longer be read, so what changed since is not told`];
  }
}

/** Newest first. */
export async function mapHistory(database: Database, tenant: string): Promise<readonly Version[]> {
  return inTenant(database, tenant, (client) => readVersions(client, tenant));
}

/** A version by its number, or the newest. Throws `map-version-unknown`. */
export async function mapVersion(database: Database, tenant: string, number?: number): Promise<MapText> {
  const found = await inTenant(database, tenant, (client) => readVersion(client, tenant, number));
  if (found === undefined) throw new SafekeepError('map-version-unknown', { version: number ?? 'newest' });
  return readMapText(found.text, `version ${found.number}`);
}

/** The map that was applied last, in the caller's transaction; undefined before the first. @throws `map-invalid` */
export async function appliedMap(client: pg.ClientBase, tenant: string): Promise<DataMap | undefined> {
  const found = await readVersion(client, tenant);
  return found === undefined ? undefined : readMapText(found.text, `version ${found.number}`).map;
}

const NUMBER = /^[1-9]\d{0,8}$/;

/** What a person names by a number of the history or by a file. */
export async function mapNamed(name: string, versions: (number: number) => Promise<MapText>): Promise<MapText> {
  return NUMBER.test(name) ? versions(Number(name)) : loadMap(name);
}
