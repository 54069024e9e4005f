import { createSealingKey } from '@safekeep/crypto';
import { SafekeepError } from '@safekeep/core';
import { inTenant, type Queryable } from '@safekeep/postgres';
import type { KeyPurpose } from '../model.ts';
import { seals } from '../rules/life.ts';
import { wrapKey } from '../rules/wrapping.ts';
import { insertKeys, readScope, setState } from '../store/keys.ts';
import { holdEpoch, takeScope } from '../store/transaction.ts';
import type { Keyring } from './open-keys.ts';

// Keys of types of data and of indexes: made, and replaced by newer versions.

type ScopeOrder = {
  readonly tenant: string;
  readonly scope: string;
  readonly purpose: Exclude<KeyPurpose, 'subject'>;
  readonly expiresAt: Date | null;
};

export type ScopeKey = { readonly keyId: string; readonly version: number };

/** The first key of a scope, or a later one that is to become active by the next rotation. False where there is one already. */
export async function createScope(
  ring: Keyring,
  order: ScopeOrder & { readonly state: 'active' | 'pre-active' },
): Promise<ScopeKey | undefined> {
  return await withScope(ring, order, async (db, versions) => {
    const isWanted = order.state === 'active' ? versions.length === 0 : !versions.some(({ state }) => state === 'pre-active');
    return isWanted ? await insertVersion(ring, db, { ...order, version: (versions[0]?.version ?? 0) + 1 }) : undefined;
  });
}

/** A new version seals from now on, and the one before only opens. What is sealed under that stays as it is until it is sealed anew. */
export async function rotateScope(
  ring: Keyring,
  order: ScopeOrder,
): Promise<{ readonly now: ScopeKey; readonly before: ScopeKey }> {
  const { tenant, scope, purpose } = order;
  return await withScope(ring, order, async (db, versions) => {
    const active = versions.find(({ state }) => seals(state));
    if (active === undefined) throw new SafekeepError('key-unknown', { key: scope });
    const waiting = versions.find(({ state }) => state === 'pre-active');
    await setState(db, tenant, { ids: [active.keyId], from: ['active', 'held'], to: 'decrypt-only' });
    if (waiting !== undefined) await setState(db, tenant, { ids: [waiting.keyId], from: ['pre-active'], to: 'active' });
    const now =
      waiting === undefined
        ? await insertVersion(ring, db, { ...order, state: 'active', version: (versions[0]?.version ?? 0) + 1 })
        : { keyId: waiting.keyId.toString('hex'), version: waiting.version };
    await ring.log({ operation: `rotate-${purpose}`, tenant, keyId: now.keyId, rows: 1, error: null }, db);
    return { now, before: { keyId: active.keyId.toString('hex'), version: active.version } };
  });
}

async function withScope<Result>(
  ring: Keyring,
  { tenant, scope, purpose }: ScopeOrder,
  action: (db: Queryable, versions: Awaited<ReturnType<typeof readScope>>) => Promise<Result>,
): Promise<Result> {
  // Before the transaction, because the first epoch is committed by itself.
  await ring.epochs.current(tenant);
  return await inTenant(ring.ground.database, tenant, async (client) => {
    await takeScope(client, tenant, `${purpose} ${scope}`);
    await holdEpoch(client, tenant);
    return await action(client, await readScope(client, tenant, { purpose, scope }));
  });
}

async function insertVersion(
  ring: Keyring,
  db: Queryable,
  {
    tenant,
    scope,
    purpose,
    version,
    state,
    expiresAt,
  }: ScopeOrder & { readonly version: number; readonly state: 'active' | 'pre-active' },
): Promise<ScopeKey> {
  const { id, bytes } = createSealingKey();
  const epoch = await ring.epochs.current(tenant, db);
  const place = { tenant, keyId: Buffer.from(id, 'hex'), purpose, scope, mark: null, fate: null, version };
  const wrapped = wrapKey(await ring.epochs.open(tenant, epoch), place, bytes);
  bytes.fill(0);
  const algorithm = purpose === 'index' ? 'HMAC-SHA-256' : 'AES-256-GCM';
  await insertKeys(db, tenant, [{ ...place, state, epoch, wrapped, algorithm, expiresAt }], ring.ground.clock.now());
  await ring.log({ operation: `create-${purpose}`, tenant, keyId: id, rows: 1, error: null }, db);
  return { keyId: id, version };
}
