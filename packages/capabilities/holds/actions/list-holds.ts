import { dayOf, SafekeepError, type Clock } from '@safekeep/core';
import { type Database, inTenant, type Queryable } from '@safekeep/postgres';
import type { Hold, HoldHistory, HoldId, HoldText } from '../model.ts';
import { holdText } from '../rules/hold.ts';
import { parseKey, formatKey } from '../rules/key.ts';
import { readEvents, readHolds } from '../store/holds.ts';

type Asker = { readonly tenant: string; readonly clock: Clock };

export type ListOptions = {
  /** Only those that stand and whose review is late. */
  readonly overdue?: boolean;
  /** Only those on this person: `patient:42`. */
  readonly subject?: string;
  /** Released ones too. */
  readonly all?: boolean;
  /** Where the page before ended. */
  readonly after?: HoldId;
  readonly limit: number;
};

/** A page of holds, newest first. Throws `hold-target-invalid` for a subject that cannot be read. */
export async function listHolds(
  database: Database,
  { tenant, clock }: Asker,
  options: ListOptions,
): Promise<{ readonly holds: readonly HoldText[]; readonly next: HoldId | null }> {
  const today = dayOf(clock.now());
  const { limit } = options;
  const found = await inTenant(database, tenant, (client) =>
    readHolds(client, tenant, {
      // One more than is shown tells whether there is another page.
      limit: limit + 1,
      ...(options.all === true ? {} : { released: false }),
      ...(options.overdue === true ? { overdueOn: today } : {}),
      ...(options.subject === undefined ? {} : { person: personOf(options.subject) }),
      ...(options.after === undefined ? {} : { before: options.after }),
    }),
  );
  const holds = found.slice(0, limit);
  return { holds: holds.map((hold) => holdText(hold, today)), next: found.length > limit ? (holds.at(-1)?.id ?? null) : null };
}

/** Those of these holds that this database has never heard of, released or not. */
export async function unknownHolds(db: Queryable, tenant: string, ids: readonly string[]): Promise<readonly string[]> {
  const known = new Set((await readHolds(db, tenant, { ids })).map(({ id }): string => id));
  return ids.filter((id) => !known.has(id));
}

/** Those of these holds that were released. */
export async function releasedHolds(db: Queryable, tenant: string, ids: readonly string[]): Promise<readonly HoldId[]> {
  return ids.length === 0 ? [] : (await readHolds(db, tenant, { ids, released: true })).map(({ id }) => id);
}

/** Everything that was ever decided on a hold. Throws `hold-unknown`. */
export async function holdHistory(database: Database, { tenant, clock }: Asker, id: HoldId): Promise<HoldHistory> {
  return await inTenant(database, tenant, async (client) => {
    const [hold] = await readHolds(client, tenant, { ids: [id] });
    if (hold === undefined) throw new SafekeepError('hold-unknown', { hold: id });
    return { hold: holdText(hold, dayOf(clock.now())), events: await readEvents(client, tenant, id) };
  });
}

/** Every standing hold as a reason not to take protection out of the database. */
export async function refuseWhileHeld(
  database: Database,
  tenant: string,
): Promise<readonly { readonly target: string; readonly reason: string }[]> {
  const holds: readonly Hold[] = await inTenant(database, tenant, (client) => readHolds(client, tenant, { released: false }));
  return holds.map(({ id, target }) => ({ target, reason: `hold ${id} stands` }));
}

function personOf(text: string): { readonly type: string; readonly key: string } {
  const colon = text.indexOf(':');
  const key = colon === -1 ? { fault: 'a subject is written type:key' } : parseKey(text.slice(colon + 1));
  if ('fault' in key) throw new SafekeepError('hold-target-invalid', { reason: key.fault });
  return { type: text.slice(0, colon), key: formatKey(key) };
}
