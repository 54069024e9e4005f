import type pg from 'pg';
import { SafekeepError, type Clock } from '@safekeep/core';
import { type Database, inTenant } from '@safekeep/postgres';
import type { Hold, HoldId } from '../model.ts';
import { insertRelease, readHolds } from '../store/holds.ts';

/** Who decides on a hold, and why. */
export type Decision = { readonly id: HoldId; readonly by: string; readonly reason: string };

/** Called in the transaction of a release: what it writes there is committed with it or not at all. */
export type ReleaseListener = (client: pg.ClientBase, release: { readonly tenant: string; readonly hold: Hold }) => Promise<void>;

const listeners = new Set<ReleaseListener>();

/**
 * Tells a capability of every release, so that it can queue again what the hold had stopped. Another hold may still stand:
 * what is queued asks anew. Registered once, where the program is put together. Returns how to take it back.
 */
export function onRelease(listener: ReleaseListener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Ends a hold. Throws `hold-unknown`, `hold-released`. Where a listener fails it stands as before. */
export async function releaseHold(
  database: Database,
  { tenant, clock }: { readonly tenant: string; readonly clock: Clock },
  { id, by, reason }: Decision,
): Promise<Hold> {
  return await inTenant(database, tenant, async (client) => {
    if ((await readHolds(client, tenant, { ids: [id] })).length === 0) throw new SafekeepError('hold-unknown', { hold: id });
    if (!(await insertRelease(client, tenant, { hold: id, by, at: clock.now(), reason })))
      throw new SafekeepError('hold-released', { hold: id });
    const [hold] = await readHolds(client, tenant, { ids: [id] });
    if (hold === undefined) throw new Error('A hold cannot vanish');
    for (const listener of listeners) await listener(client, { tenant, hold });
    return hold;
  });
}
