import { randomBytes } from 'node:crypto';
import { SafekeepError } from '@safekeep/core';
import { KEY_BYTES, KEY_ID_BYTES } from '@safekeep/crypto';
import { inTenant } from '@safekeep/postgres';
import { formatPerson } from '../../holds/index.ts';
import type { Fate, PersonKey } from '../model.ts';
import { seals } from '../rules/life.ts';
import { wrapKey } from '../rules/wrapping.ts';
import { insertKeys, lockOwners, readOwned, setState } from '../store/keys.ts';
import { holdEpoch } from '../store/transaction.ts';
import type { Keyring } from './open-keys.ts';

export type SubjectRotated = { readonly fate: Fate; readonly now: string; readonly before: string };

const FATES: readonly Fate[] = ['erasable', 'kept'];

/**
 * Gives a person new keys, of each fate that they have one of: what is sealed from now on is under the new one. What stands under the
 * one before stays there and opens, for the log has committed to those bytes: sealed anew they would not be what its tree signed.
 * The key before is wrapped anew with each epoch, counted by the census, and destroyed with the new one when the person is erased.
 * Other processes seal under the old one for at most the lease.
 *
 * @throws `key-unknown` who never had one · `key-erased` whose keys were destroyed: they are never given another
 */
export async function rotateSubject(ring: Keyring, tenant: string, person: PersonKey): Promise<readonly SubjectRotated[]> {
  const { database, clock } = ring.ground;
  const marks = await ring.marksOf(tenant, formatPerson(person), FATES);
  return await inTenant(database, tenant, async (client) => {
    await holdEpoch(client, tenant);
    // Whoever destroys or replaces them is waited for, and waits.
    await lockOwners(client, tenant, marks);
    const owned = await readOwned(client, tenant, marks);
    if (owned.length === 0) throw new SafekeepError('key-unknown', { key: 'of that person' });
    const epoch = await ring.epochs.current(tenant, client);
    const kek = await ring.epochs.open(tenant, epoch);
    const rotated: SubjectRotated[] = [];
    for (const [number, mark] of marks.entries()) {
      const fate = FATES[number] ?? 'erasable';
      const versions = owned.filter((key) => key.mark.equals(mark));
      const newest = versions.at(-1);
      if (newest === undefined || !seals(newest.state) || versions.some(({ state }) => state === 'shredded')) continue;
      const version = newest.version + 1;
      const place = { tenant, keyId: randomBytes(KEY_ID_BYTES), purpose: 'subject', scope: null, mark, fate, version } as const;
      const bytes = randomBytes(KEY_BYTES);
      const wrapped = wrapKey(kek, place, bytes);
      bytes.fill(0);
      // One that waits for the end of a hold is waited for under the new key, too.
      const { state } = newest;
      await insertKeys(
        client,
        tenant,
        [{ ...place, state, epoch, wrapped, algorithm: 'AES-256-GCM', expiresAt: null }],
        clock.now(),
      );
      await setState(client, tenant, { ids: [newest.keyId], from: ['active', 'held'], to: 'decrypt-only' });
      const now = place.keyId.toString('hex');
      await ring.log({ operation: 'rotate-subject', tenant, keyId: now, rows: 1, error: null }, client);
      rotated.push({ fate, now, before: newest.keyId.toString('hex') });
    }
    if (rotated.length === 0) throw new SafekeepError('key-erased', { key: owned[0]?.keyId.toString('hex') ?? '' });
    return rotated;
  });
}
