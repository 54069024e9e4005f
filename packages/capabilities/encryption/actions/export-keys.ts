import { SafekeepError } from '@safekeep/core';
import { WrappingKey } from '@safekeep/crypto';
import { beginExport, pruneExports, readExport, readHead } from '../files/exports.ts';
import type { StoredKey } from '../model.ts';
import { unwrapKey } from '../rules/wrapping.ts';
import { pageForExport, readKeys, type RestoredKey } from '../store/keys.ts';
import { inTenant } from '../store/transaction.ts';
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
    await inTenant(
      database,
      tenant,
      async (client) => {
        for (let after: Buffer | null = null; ;) {
          const page = await pageForExport(client, tenant, { after, limit: PAGE });
          const wrapped = new Map(
            (
              await readKeys(
                client,
                tenant,
                page.map(({ key_id }) => key_id),
              )
            ).map((key) => [key.keyId.toString('hex'), key.wrapped]),
          );
          await writer.write(page.map((row) => ({ ...row, wrapped: wrapped.get(row.key_id.toString('hex')) ?? null })));
          after = page.at(-1)?.key_id ?? null;
          if (page.length < PAGE) break;
        }
      },
      { snapshot: true },
    );
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
    for (const row of batch) {
      keys += 1;
      if (row.wrapped === null) continue;
      if (row.epoch !== epoch) throw new SafekeepError('key-export-broken', { path, reason: 'it holds keys under another epoch' });
      unwrapKey(key, placeOf(tenant, row), row.wrapped).fill(0);
      living += 1;
    }
  }
  return { keys, living };
}

export function placeOf(tenant: string, row: RestoredKey): Omit<StoredKey, 'usageCount'> {
  return {
    tenant,
    keyId: row.key_id,
    purpose: row.key_purpose,
    scope: row.scope,
    mark: row.owner_mark,
    fate: row.fate,
    version: row.version,
    state: row.state,
    epoch: row.epoch,
    wrapped: row.wrapped,
  };
}
