import { join } from 'node:path';
import { isSafekeepError, SafekeepError } from '@safekeep/core';
import { homeKeyPath, readHomeKey } from '@safekeep/files';
import { inTenant } from '@safekeep/postgres';
import { createOnce, makeFolder } from '../files/key-store.ts';
import { noteBackup } from '../files/backups.ts';
import { createKek, epochsOf, kekCheck, noteDestroyed, readKek, tenantsOf } from '../files/epochs.ts';
import { newestExport, readExport, readHead } from '../files/exports.ts';
import { withStoreLock } from '../files/lock.ts';
import type { Recovery } from '../model.ts';
import { requireKeyLine } from '../rules/key-line.ts';
import { tryKeysWith, type WrappedKey } from '../rules/wrapping.ts';
import { insertEpoch, markDestroyed, readEpochs, retireCurrent } from '../store/epochs.ts';
import { linesOfKeys, restoreKeys } from '../store/keys.ts';
import { takeRotation } from '../store/transaction.ts';
import type { BackupPayload } from './backup-keys.ts';
import { wrapKek } from './epoch-keys.ts';
import { isLiving } from './export-keys.ts';
import type { Keyring } from './open-keys.ts';

const PAGE = 10_000;

type Recovered = Pick<Recovery, 'epochs' | 'files'>;

/**
 * Puts the keys of a backup into a home that has none, under a new root. What is known to be destroyed, here or by the database, is
 * not put back. Throws `key-store-occupied`, `key-file-other`, `key-backup-unfit`.
 */
export async function recoverStore(ring: Keyring, home: string, payload: BackupPayload): Promise<Recovered> {
  const { directory, roots } = ring.ground;
  return await withStoreLock(directory, async () => {
    for (const tenant of await tenantsOf(directory)) {
      for (const { epoch, destroyedAt } of await epochsOf(directory, tenant)) {
        if (destroyedAt !== null) continue;
        // A recovery that was cut off put it there.
        const check = (await readKek(directory, tenant, epoch))?.check;
        if (!payload.epochs.some((each) => each.tenant === tenant && each.epoch === epoch && each.check === check))
          throw new SafekeepError('key-store-occupied', { path: directory, tenant, epoch });
      }
    }
    await refuseOtherKeys(home, payload);
    const root = await roots.current({ make: true });
    const epochs: Record<string, number[]> = {};
    for (const { tenant, epoch, key, check, createdAt } of payload.epochs) {
      if (await isDestroyed(ring, tenant, epoch)) continue;
      const bytes = Buffer.from(key, 'base64');
      if (kekCheck(bytes) !== check)
        throw new SafekeepError('key-backup-unfit', { reason: 'a key in it is not the one that it says' });
      await createKek(directory, await wrapKek(root, bytes, { tenant, epoch, createdAt }));
      bytes.fill(0);
      (epochs[tenant] ??= []).push(epoch);
    }
    const files: string[] = [];
    await makeFolder(join(home, 'keys'));
    for (const { name, content } of payload.files) if (await createOnce(homeKeyPath(home, name), content)) files.push(name);
    for (const { tenant, name, content } of payload.exports) {
      const folder = join(directory, 'exports', tenant);
      await makeFolder(folder);
      if (await createOnce(join(folder, name), content)) files.push(name);
    }
    for (const note of payload.backups ?? []) await noteBackup(directory, note);
    return { epochs, files };
  });
}

/** A key that a command made when those of the home were lost is kept, and never taken for the one of the backup. */
async function refuseOtherKeys(home: string, { files }: BackupPayload): Promise<void> {
  for (const { name, content } of files) {
    const here = await readHomeKey(home, name);
    if (here !== undefined && here !== content) throw new SafekeepError('key-file-other', { path: homeKeyPath(home, name) });
  }
}

/** What the database knows to be destroyed is noted here, so that no later backup brings it back either. */
async function isDestroyed(ring: Keyring, tenant: string, epoch: number): Promise<boolean> {
  const { directory, database } = ring.ground;
  if ((await epochsOf(directory, tenant)).some((file) => file.epoch === epoch && file.destroyedAt !== null)) return true;
  const at =
    (await inTenant(database, tenant, (client) => readEpochs(client, tenant))).find((each) => each.epoch === epoch)?.destroyedAt ??
    null;
  if (at !== null) await noteDestroyed(directory, tenant, { epoch, at });
  return at !== null;
}

/**
 * Brings the key table of a restored database to the newest export: what was shredded since stays shredded, what is wrapped under an
 * epoch that is no more is replaced by what is under the living one. Nothing is written unless the export is whole and opens.
 *
 * @throws `key-export-missing`, `key-export-broken`, `key-epoch-destroyed`, `key-swapped`, `key-busy` while keys are rotated.
 */
export async function restoreTable(ring: Keyring, tenant: string, from?: string): Promise<number> {
  return await withStoreLock(ring.ground.directory, () => restoreLocked(ring, tenant, from));
}

async function restoreLocked(ring: Keyring, tenant: string, from: string | undefined): Promise<number> {
  const { directory, database, clock } = ring.ground;
  const path = from ?? (await newestExport(directory, tenant));
  if (path === undefined) throw new SafekeepError('key-export-missing', { tenant, path: directory });
  const head = await readHead(path);
  if (head.tenant !== tenant) throw new SafekeepError('key-export-broken', { path, reason: 'it is of another tenant' });
  const kek = await ring.epochs.open(tenant, head.epoch);
  for await (const batch of readExport(path, PAGE)) tryKeysWith(kek, tenant, batch.filter(isLiving));
  const destroyed = (await epochsOf(directory, tenant)).filter((file) => file.destroyedAt !== null);
  const restored = await inTenant(database, tenant, async (client) => {
    // A roll on another machine would destroy the epoch that these keys come back under.
    await takeRotation(client, tenant);
    const known = await readEpochs(client, tenant);
    if (!known.some(({ epoch }) => epoch === head.epoch)) {
      await retireCurrent(client, tenant, clock.now());
      await insertEpoch(client, tenant, { epoch: head.epoch, check: Buffer.from(head.check, 'hex'), at: new Date(head.at) });
    }
    let count = 0;
    for await (const batch of readExport(path, PAGE)) count += await restoreKeys(client, tenant, batch);
    for (const { epoch, destroyedAt } of destroyed)
      if (destroyedAt !== null) await markDestroyed(client, tenant, { epoch, at: destroyedAt });
    await ring.log({ operation: 'restore-keys', tenant, keyId: null, rows: count, error: null }, client);
    return count;
  });
  ring.forget();
  return restored;
}

/** Tries every living key of the database. */
export async function tryKeys(ring: Keyring, tenant: string): Promise<{ readonly keys: number; readonly closed: number }> {
  let keys = 0;
  let closed = 0;
  await inTenant(ring.ground.database, tenant, async (client) => {
    for await (const lines of linesOfKeys(client, tenant, { under: null, batch: PAGE })) {
      const living = lines.map((line) => requireKeyLine(line)).filter(isLiving);
      keys += living.length;
      for (const [epoch, ofEpoch] of Map.groupBy(living, (key) => key.epoch))
        closed += await countClosed(ring, tenant, epoch, ofEpoch);
    }
  });
  return { keys, closed };
}

async function countClosed(ring: Keyring, tenant: string, epoch: number, keys: readonly WrappedKey[]): Promise<number> {
  try {
    tryKeysWith(await ring.epochs.open(tenant, epoch), tenant, keys);
    return 0;
  } catch (error) {
    if (!isSafekeepError(error)) throw error;
    // How many it is, halves tell; one that cannot be halved is one.
    const half = keys.length >> 1;
    if (half === 0 || error.code !== 'key-swapped') return keys.length;
    return (
      (await countClosed(ring, tenant, epoch, keys.slice(0, half))) + (await countClosed(ring, tenant, epoch, keys.slice(half)))
    );
  }
}
