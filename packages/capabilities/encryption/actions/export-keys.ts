import { SafekeepError } from '@safekeep/core';
import { WrappingKey } from '@safekeep/crypto';
import { inTenant } from '@safekeep/postgres';
import { beginExport, pruneExports, readExport, readHead } from '../files/exports.ts';
import type { ExportedKey } from '../rules/key-line.ts';
import { tryKeysWith } from '../rules/wrapping.ts';
import { linesOfKeys } from '../store/keys.ts';
import { openKek, requireKek } from './epoch-keys.ts';
import type { Keyring } from './open-keys.ts';

const PAGE = 10_000;

export type Exported = { readonly path: string; readonly keys: number; readonly living: number };

/**
 * Writes the key table of a tenant to a file of one moment, and reads it back as somebody would who has nothing but that file and
 * the key files: the epoch's key is unwrapped by the root anew, and every living key is opened with it.
 *
 * @throws `key-export-broken`, `key-swapped`, and what the store and the root throw.
 */
export async function exportKeys(ring: Keyring, tenant: string): Promise<Exported> {
  const { directory, database, clock, roots } = ring.ground;
  const epoch = await ring.epochs.current(tenant);
  const kek = await requireKek(directory, tenant, epoch);
  const writer = await beginExport(directory, {
    format: 'safekeep-keys/1',
    tenant,
    epoch,
    check: kek.check,
    at: clock.now().toISOString(),
  });
  try {
    await inTenant(database, tenant, async (client) => {
      for await (const lines of linesOfKeys(client, tenant, { under: null, batch: PAGE })) await writer.write(lines);
    });
    await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
  const anew = new WrappingKey(await openKek(roots, kek));
  const { keys, living } = await readBack(writer.path, { tenant, epoch, key: anew });
  await pruneExports(directory, tenant);
  return { path: writer.path, keys, living };
}

/** Opens every living key of an export. Throws `key-export-broken`, `key-swapped`. */
async function readBack(
  path: string,
  { tenant, epoch, key }: { readonly tenant: string; readonly epoch: number; readonly key: WrappingKey },
): Promise<{ readonly keys: number; readonly living: number }> {
  const head = await readHead(path);
  if (head.tenant !== tenant || head.epoch !== epoch)
    throw new SafekeepError('key-export-broken', { path, reason: 'it is of another tenant or epoch' });
  let keys = 0;
  let living = 0;
  for await (const batch of readExport(path, PAGE)) {
    const wrapped = batch.filter(isLiving);
    if (wrapped.some((row) => row.epoch !== epoch))
      throw new SafekeepError('key-export-broken', { path, reason: 'it holds keys under another epoch' });
    tryKeysWith(key, tenant, wrapped);
    keys += batch.length;
    living += wrapped.length;
  }
  return { keys, living };
}

export function isLiving(key: ExportedKey): key is ExportedKey & { readonly wrapped: Buffer } {
  return key.wrapped !== null;
}
