import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import { encryptedName, LEASE_MS, parseColumnName, SafekeepError } from '@safekeep/core';
import { inTenant } from '@safekeep/postgres';
import type { SealedPlace } from '../model.ts';
import { standingKey } from '../rules/retired.ts';
import { fieldOfScope, listKeys, shredKeys, type ListedKey } from '../store/keys.ts';
import { countEventsOf } from '../store/log.ts';
import { seeAllRows, takeScope } from '../store/transaction.ts';
import { outlastWriters, type Outlasting } from '../store/writers.ts';
import type { Keyring } from './open-keys.ts';

export type Retired = {
  readonly key: ListedKey;
  /** Of the audit log, which tell of its columns and may hold ciphertext under it; null where it is not known any more which these were. */
  readonly events: number | null;
};

export type Destroying = {
  readonly keyId: Buffer;
  readonly places: readonly SealedPlace[];
  readonly dryRun: boolean;
  /** For how long somebody may still seal under a key that was replaced a moment ago. */
  readonly leaseMs?: number;
  /** How long transactions that are open then are waited for; about 45 s unless said otherwise. */
  readonly patience?: Pick<Outlasting, 'tries' | 'pauseMs'>;
  readonly signal: AbortSignal;
  /** Told once before it is waited for. */
  readonly waiting: () => void;
  readonly agree: (retired: Retired) => Promise<void>;
};

/**
 * Destroys a key of an encrypted column that was replaced, or whose column is encrypted no more, once nothing in this database is
 * sealed under it: counted before, and again when everybody who had it in memory has lost it and every transaction of then has ended, in
 * the transaction that destroys it and in which nobody makes another version of it. What was sealed under it elsewhere, in copies and backups, opens nowhere afterwards, once
 * the epoch is rolled and the key backups of before are gone.
 *
 * @throws `key-unknown`, `key-erased`, `key-not-retired`, `key-in-use`, `key-still-held`; where row security hides rows from this login nothing is counted.
 */
export async function destroyKey(
  ring: Keyring,
  tenant: string,
  { keyId, places, dryRun, leaseMs = LEASE_MS, patience = {}, signal, waiting, agree }: Destroying,
): Promise<Retired & { readonly destroyedAt: Date | null }> {
  const { database, clock } = ring.ground;
  const { key, events } = await inTenant(database, tenant, async (client) => {
    const retired = await retiredKey(client, tenant, keyId);
    await requireUnused(client, tenant, { keyId, places });
    return { key: retired, events: await eventsUnder(client, tenant, retired) };
  });
  if (dryRun) return { key, events, destroyedAt: null };
  await agree({ key, events });
  if (leaseMs > 0) {
    waiting();
    await wait(leaseMs, undefined, { signal });
  }
  if (!(await outlastWriters(database, { table: null, signal, ...patience })))
    throw new SafekeepError('key-still-held', { key: keyId.toString('hex') });
  const at = clock.now();
  await inTenant(database, tenant, async (client) => {
    await takeScope(client, tenant, `${key.purpose} ${key.scope ?? ''}`);
    await retiredKey(client, tenant, keyId);
    await requireUnused(client, tenant, { keyId, places });
    await shredKeys(client, tenant, [keyId], at);
    await ring.log({ operation: `destroy-${key.purpose}`, tenant, keyId: keyId.toString('hex'), rows: 1, error: null }, client);
  });
  ring.forget();
  // Again after the lock: whoever brought it back into use meanwhile was refused or is told now.
  const [destroyed = key] = await inTenant(database, tenant, (client) => listKeys(client, tenant, { limit: 1, ids: [keyId] }));
  return { key: destroyed, events, destroyedAt: at };
}

/** An event of an audited column holds the ciphertext as the row had it. It was signed over, so no rotation seals it anew. */
async function eventsUnder(client: pg.ClientBase, tenant: string, key: ListedKey): Promise<number | null> {
  if (key.purpose !== 'data') return 0;
  if (key.columns.length === 0) return null;
  const columns = key.columns.map(parseColumnName).flatMap((ref) => [ref, { ...ref, column: encryptedName(ref.column) }]);
  return await countEventsOf(client, tenant, { columns, since: key.createdAt });
}

async function retiredKey(client: pg.ClientBase, tenant: string, keyId: Buffer): Promise<ListedKey> {
  const id = keyId.toString('hex');
  const [key] = await listKeys(client, tenant, { limit: 1, ids: [keyId] });
  if (key === undefined) throw new SafekeepError('key-unknown', { key: id });
  if (key.state === 'shredded') throw new SafekeepError('key-erased', { key: id });
  const reason = standingKey(key, await fieldOfScope(client, tenant, key.scope));
  if (reason !== null) throw new SafekeepError('key-not-retired', { key: id, reason });
  return key;
}

/** @throws `key-in-use` */
async function requireUnused(
  client: pg.ClientBase,
  tenant: string,
  { keyId, places }: Pick<Destroying, 'keyId' | 'places'>,
): Promise<void> {
  const id = keyId.toString('hex');
  await seeAllRows(client);
  for (const place of places) {
    const values = (await place.census(client, tenant)).get(id) ?? 0;
    if (values > 0) throw new SafekeepError('key-in-use', { key: id, values, place: place.name });
  }
}
