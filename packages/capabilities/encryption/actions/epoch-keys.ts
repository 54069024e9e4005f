import { randomBytes } from 'node:crypto';
import { LEASE_MS, SafekeepError, type Clock } from '@safekeep/core';
import { KEY_BYTES, WrappingKey } from '@safekeep/crypto';
import { type Database, inTenant, type Queryable } from '@safekeep/postgres';
import { createKek, epochsOf, kekCheck, readKek, type Kek } from '../files/epochs.ts';
import { withStoreLock } from '../files/lock.ts';
import type { Epoch } from '../model.ts';
import type { Roots } from '../roots/open.ts';
import type { Root } from '../roots/root.ts';
import { insertEpoch, readEpochs } from '../store/epochs.ts';
import { standingOf } from '../store/transaction.ts';

export type EpochGround = {
  readonly database: Database;
  readonly directory: string;
  readonly roots: Roots;
  readonly clock: Clock;
};

/** The keys of epochs: unwrapped once, and looked for again after each lease, for somebody may have destroyed them. */
export type EpochKeys = {
  /** Throws `key-epoch-destroyed`, `key-store-missing`, `key-file-broken`, `key-root-wrong`, `key-root-unreachable`. */
  readonly open: (tenant: string, epoch: number) => Promise<WrappingKey>;
  /**
   * Which epoch is the tenant's; its first is made on first use, committed by itself. Asked within `db`, the caller's transaction,
   * where that sees what others have committed, so that it waits for no second connection. Throws `key-store-foreign` too.
   */
  readonly current: (tenant: string, db?: Queryable) => Promise<number>;
  readonly forget: () => void;
};

/** Another process that makes its first keys, or replaces the root, is waited for. */
const PATIENCE_MS = 30_000;

type Opened = { readonly key: WrappingKey; readonly check: string; until: number };

export function epochKeys(ground: EpochGround): EpochKeys {
  const { directory, clock, database } = ground;
  const opened = new Map<string, Opened>();
  const open = async (tenant: string, epoch: number): Promise<WrappingKey> => {
    const name = `${tenant}/${epoch}`;
    const found = opened.get(name);
    if (found !== undefined && clock.elapsedMs() < found.until) return found.key;
    opened.delete(name);
    const kek = await requireKek(directory, tenant, epoch);
    const known = (await inTenant(database, tenant, (client) => readEpochs(client, tenant))).find((each) => each.epoch === epoch);
    // A copy of the folder may hold it still.
    if (known?.state === 'destroyed') throw new SafekeepError('key-epoch-destroyed', { epoch });
    if (known !== undefined && known.check.toString('hex') !== kek.check)
      throw new SafekeepError('key-store-foreign', { path: directory, epoch });
    // The root is asked once only: one that cannot be reached any more does not stop what is open.
    const anew =
      found?.check === kek.check ? found : { key: new WrappingKey(await openKek(ground.roots, kek)), check: kek.check, until: 0 };
    anew.until = clock.elapsedMs() + LEASE_MS;
    opened.set(name, anew);
    return anew.key;
  };
  return {
    open,
    current: async (tenant, db) => {
      const seen = db === undefined ? undefined : await currentWithin(db, tenant);
      const current = seen ?? (await currentOutside(ground, tenant));
      await open(tenant, current.epoch);
      return current.epoch;
    },
    forget: () => opened.clear(),
  };
}

/** Undefined where the transaction cannot tell: it sees only what was committed before it began, or is of no tenant. */
async function currentWithin(db: Queryable, tenant: string): Promise<Epoch | undefined> {
  const standing = await standingOf(db);
  if (standing.isolation !== 'read committed' || standing.tenant !== tenant) return undefined;
  return (await readEpochs(db, tenant)).find(({ state }) => state === 'current');
}

async function currentOutside(ground: EpochGround, tenant: string): Promise<Epoch> {
  const epochs = await inTenant(ground.database, tenant, (client) => readEpochs(client, tenant));
  return epochs.find(({ state }) => state === 'current') ?? (await beginEpochs(ground, tenant, epochs));
}

/** The wrapped key of an epoch. Throws when it was destroyed, or is missing. */
export async function requireKek(directory: string, tenant: string, epoch: number): Promise<Kek> {
  const file = (await epochsOf(directory, tenant)).find((each) => each.epoch === epoch);
  if (file?.destroyedAt !== null && file?.destroyedAt !== undefined) throw new SafekeepError('key-epoch-destroyed', { epoch });
  const kek = file === undefined ? undefined : await readKek(directory, tenant, epoch);
  if (kek === undefined) throw new SafekeepError('key-store-missing', { tenant, path: directory });
  return kek;
}

/** 32 bytes. Throws `key-root-wrong` where what came out is not what was wrapped. */
export async function openKek(roots: Roots, kek: Kek): Promise<Buffer> {
  const root = await roots.find(kek.root);
  const bytes = await root.unwrap(Buffer.from(kek.wrapped, 'base64'));
  if (bytes.length !== KEY_BYTES || kekCheck(bytes) !== kek.check)
    throw new SafekeepError('key-root-wrong', { root: `${root.kind} ${root.id}` });
  return bytes;
}

/** A new key of an epoch, wrapped; not yet written. */
export async function newKek(
  root: Root,
  { tenant, epoch, now }: { readonly tenant: string; readonly epoch: number; readonly now: Date },
): Promise<Kek> {
  return await wrapKek(root, randomBytes(KEY_BYTES), { tenant, epoch, createdAt: now.toISOString() });
}

export async function wrapKek(
  root: Root,
  key: Uint8Array,
  named: { readonly tenant: string; readonly epoch: number; readonly createdAt: string },
): Promise<Kek> {
  const wrapped = await root.wrap(key);
  // Read back at once: what a root cannot open again must not come to protect anything.
  if (!Buffer.from(key).equals(await root.unwrap(wrapped)))
    throw new SafekeepError('key-root-unreachable', {
      root: `${root.kind} ${root.id}`,
      reason: 'it does not give back what it was given',
    });
  return {
    format: 'safekeep-kek/1',
    ...named,
    root: { kind: root.kind, id: root.id },
    wrapped: wrapped.toString('base64'),
    check: kekCheck(key),
  };
}

/** The first epoch of this database: with the key that lies there already (a crash came in between, or the database is new), else a new one. */
async function beginEpochs(ground: EpochGround, tenant: string, epochs: readonly Epoch[]): Promise<Epoch> {
  if (epochs.length > 0) throw new SafekeepError('key-store-missing', { tenant, path: ground.directory });
  // Not while the root is being replaced: a key under the old one would be lost with it.
  return await withStoreLock(ground.directory, () => beginLocked(ground, tenant), PATIENCE_MS);
}

async function beginLocked({ directory, database, roots, clock }: EpochGround, tenant: string): Promise<Epoch> {
  const files = await epochsOf(directory, tenant);
  const living = files.findLast(({ destroyedAt }) => destroyedAt === null)?.epoch;
  const epoch = living ?? (files.at(-1)?.epoch ?? 0) + 1;
  if (living === undefined) {
    const root = await roots.current({ make: true });
    await createKek(directory, await newKek(root, { tenant, epoch, now: clock.now() }));
  }
  const kek = await requireKek(directory, tenant, epoch);
  return await inTenant(database, tenant, async (client) => {
    await insertEpoch(client, tenant, { epoch, check: Buffer.from(kek.check, 'hex'), at: clock.now() });
    const current = (await readEpochs(client, tenant)).find(({ state }) => state === 'current');
    if (current === undefined) throw new SafekeepError('key-busy');
    return current;
  });
}
