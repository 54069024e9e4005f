import { inTenant } from '@safekeep/postgres';
import { readBackups } from '../files/backups.ts';
import type { Horizon, KnownCopy } from '../model.ts';
import { horizonOf } from '../rules/horizon.ts';
import { readEpochs } from '../store/epochs.ts';
import type { Keyring } from './open-keys.ts';

/**
 * When nobody can open any more what was sealed under keys of these epochs, whatever copies they kept. `plaintextCopies`: backups,
 * WAL and replicas that hold plaintext, where somebody keeps account of them.
 */
export async function shredHorizon(
  ring: Keyring,
  tenant: string,
  { epochs, plaintextCopies }: { readonly epochs: readonly number[]; readonly plaintextCopies: readonly KnownCopy[] | 'unknown' },
): Promise<Horizon> {
  const { database, directory, clock } = ring.ground;
  const known = await inTenant(database, tenant, (client) => readEpochs(client, tenant));
  const backups = await readBackups(directory);
  // A key was under every epoch since it was made, and a copy of the database from then opens with a backup from then.
  const newest = Math.max(...epochs);
  return horizonOf({
    epochs: known.filter(({ epoch }) => epochs.includes(epoch)),
    keyCopies: backups
      .filter((note) => note.epochs[tenant]?.some((epoch) => epoch <= newest) === true)
      .map(({ id, keepUntil }) => ({ name: `key backup ${id}`, until: keepUntil === null ? null : new Date(keepUntil) })),
    plaintextCopies,
    now: clock.now(),
  });
}
