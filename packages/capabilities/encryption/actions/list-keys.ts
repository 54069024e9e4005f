import { inTenant } from '@safekeep/postgres';
import { readBackups } from '../files/backups.ts';
import type { Census, KeyText, SealedPlace } from '../model.ts';
import { alertsOf, EPOCH_OVERDUE_MS } from '../rules/life.ts';
import { readEpochs } from '../store/epochs.ts';
import { listKeys, type ListedKey } from '../store/keys.ts';
import type { Keyring } from './open-keys.ts';

const IDS_AT_ONCE = 10_000;
/** Unknown ids that are named one by one. */
const UNKNOWN_SHOWN = 100;

export type Listed = {
  readonly keys: readonly KeyText[];
  readonly next: string | null;
  readonly epochs: readonly {
    readonly epoch: number;
    readonly state: 'current' | 'retiring' | 'destroyed';
    readonly createdAt: string;
    readonly destroyedAt: string | null;
  }[];
  readonly alerts: readonly string[];
};

/** A page of keys by id, and what is to be said of the whole. */
export async function listRing(
  ring: Keyring,
  tenant: string,
  {
    limit,
    after,
    places,
  }: { readonly limit: number; readonly after?: Buffer; readonly places: readonly SealedPlace[] | undefined },
): Promise<Listed> {
  const { database, clock, directory } = ring.ground;
  const { found, epochs } = await inTenant(database, tenant, async (client) => ({
    // One more than is shown tells whether there is another page.
    found: await listKeys(client, tenant, { limit: limit + 1, ...(after === undefined ? {} : { after }) }),
    epochs: await readEpochs(client, tenant),
  }));
  const values = places === undefined ? undefined : (await countValues(ring, tenant, places)).byKey;
  const shown = found.slice(0, limit);
  const now = clock.now();
  const current = epochs.find(({ state }) => state === 'current');
  const alerts: string[] = [];
  if (current !== undefined && now.getTime() - current.createdAt.getTime() >= EPOCH_OVERDUE_MS) alerts.push('epoch-overdue');
  if (epochs.some(({ state }) => state === 'retiring')) alerts.push('roll-unfinished');
  const backups = await readBackups(directory);
  if (current !== undefined && !backups.some((note) => note.epochs[tenant]?.includes(current.epoch) === true))
    alerts.push('no-key-backup-of-this-epoch');
  return {
    keys: shown.map((key) => textOf(key, now, values)),
    next: found.length > limit ? (shown.at(-1)?.keyId.toString('hex') ?? null) : null,
    epochs: epochs.map(({ epoch, state, createdAt, destroyedAt }) => ({
      epoch,
      state,
      createdAt: createdAt.toISOString(),
      destroyedAt: destroyedAt?.toISOString() ?? null,
    })),
    alerts,
  };
}

/** How many values stand under which key, by their headers alone. */
export async function census(ring: Keyring, tenant: string, places: readonly SealedPlace[]): Promise<Census> {
  const { byKey, byPlace } = await countValues(ring, tenant, places);
  const ids = [...byKey.keys()];
  const keys: Census['keys'] = [];
  for (let at = 0; at < ids.length; at += IDS_AT_ONCE) {
    const batch = ids.slice(at, at + IDS_AT_ONCE).map((id) => Buffer.from(id, 'hex'));
    const listed = await inTenant(ring.ground.database, tenant, (client) =>
      listKeys(client, tenant, { limit: batch.length, ids: batch }),
    );
    for (const key of listed) {
      const id = key.keyId.toString('hex');
      keys.push({ id, scope: scopeOf(key), columns: [...key.columns], state: key.state, values: byKey.get(id) ?? 0 });
      byKey.delete(id);
    }
  }
  const unknown = [...byKey];
  return {
    keys,
    places: Object.fromEntries(byPlace),
    values: [...byPlace.values()].reduce((sum, count) => sum + count, 0),
    unknown: unknown.slice(0, UNKNOWN_SHOWN).map(([id]) => id),
  };
}

async function countValues(ring: Keyring, tenant: string, places: readonly SealedPlace[]) {
  const byKey = new Map<string, number>();
  const byPlace = new Map<string, number>();
  for (const place of places) {
    const counts = await inTenant(ring.ground.database, tenant, (client) => place.census(client, tenant));
    for (const [id, count] of counts) {
      byKey.set(id, (byKey.get(id) ?? 0) + count);
      byPlace.set(place.name, (byPlace.get(place.name) ?? 0) + count);
    }
  }
  return { byKey, byPlace };
}

function textOf(key: ListedKey, now: Date, values: ReadonlyMap<string, number> | undefined): KeyText {
  const id = key.keyId.toString('hex');
  const text = {
    id,
    scope: scopeOf(key),
    columns: [...key.columns],
    purpose: key.purpose,
    state: key.state,
    version: key.version,
    algorithm: key.algorithm,
    epoch: key.epoch,
    createdAt: key.createdAt.toISOString(),
    expiresAt: key.expiresAt?.toISOString() ?? null,
    lastUsedAt: key.lastUsedAt?.toISOString() ?? null,
    destroyedAt: key.destroyedAt?.toISOString() ?? null,
    uses: key.uses,
    values: values === undefined ? null : (values.get(id) ?? 0),
  };
  return { ...text, alerts: [...alertsOf(text, now)] };
}

function scopeOf({ scope, fate }: Pick<ListedKey, 'scope' | 'fate'>): string {
  return scope ?? `subject ${fate}`;
}
