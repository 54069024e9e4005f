import { dayOf, parseDay, SafekeepError, type Clock } from '@safekeep/core';
import { type Database, inTenant } from '@safekeep/postgres';
import type { Hold } from '../model.ts';
import { insertReview, readHolds } from '../store/holds.ts';
import type { Decision } from './release-hold.ts';

/** Notes that a hold was looked at and stays, until the next review. Throws `hold-unknown`, `hold-released`, `hold-dates-unfit`. */
export async function reviewHold(
  database: Database,
  { tenant, clock }: { readonly tenant: string; readonly clock: Clock },
  { id, by, reason, reviewBy }: Decision & { readonly reviewBy: string },
): Promise<Hold> {
  const today = dayOf(clock.now());
  if (parseDay(reviewBy) === undefined || reviewBy <= today)
    throw new SafekeepError('hold-dates-unfit', { reason: `the day of review must be a day after ${today}` });
  return await inTenant(database, tenant, async (client) => {
    const [before] = await readHolds(client, tenant, { ids: [id] });
    if (before === undefined) throw new SafekeepError('hold-unknown', { hold: id });
    if (before.release !== null) throw new SafekeepError('hold-released', { hold: id });
    await insertReview(client, tenant, { hold: id, reviewBy, by, at: clock.now(), reason });
    return { ...before, reviewBy };
  });
}
