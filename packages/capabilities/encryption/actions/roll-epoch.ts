import type pg from 'pg';
import { SafekeepError } from '@safekeep/core';
import { inTenant } from '@safekeep/postgres';
import { createKek, destroyKek, epochsOf } from '../files/epochs.ts';
import { withStoreLock } from '../files/lock.ts';
import { requireKeyLine } from '../rules/key-line.ts';
import { rewrapKeys } from '../rules/wrapping.ts';
import { countUnder, insertEpoch, markDestroyed, readEpochs, retireCurrent } from '../store/epochs.ts';
import { linesOfKeys, rewrap } from '../store/keys.ts';
import { takeEpoch, takeRotation } from '../store/transaction.ts';
import { newKek, requireKek } from './epoch-keys.ts';
import { exportKeys, isLiving } from './export-keys.ts';
import type { Keyring } from './open-keys.ts';

export type Rolled = {
  readonly from: number;
  readonly to: number;
  readonly rewrapped: number;
  readonly exported: string;
  readonly destroyedAt: Date;
};

export type RollOptions = {
  readonly onProgress?: (done: number) => void;
  readonly signal?: AbortSignal;
  /** How long a transaction that is making keys is waited for. */
  readonly patienceMs?: number;
};

const PATIENCE_MS = 30_000;
const PAGE = 10_000;
/** Each round finds what was missed by the one before; nothing new comes under an old epoch, so two are enough. */
const ROUNDS_AT_MOST = 10;

/**
 * Wraps every key of the tenant under the key of a new epoch, and destroys the old one: whatever copy of the database was taken
 * before cannot be opened from then on. The old one goes only after the key table under the new one was exported and read back.
 * A roll that was killed goes on where it stopped.
 *
 * @throws `key-busy` where another roll is under way, or keys are being made for longer than `patienceMs`.
 */
export async function rollEpoch(ring: Keyring, tenant: string, options: RollOptions = {}): Promise<Rolled> {
  const { database, directory } = ring.ground;
  await ring.epochs.current(tenant);
  return await withStoreLock(directory, () =>
    // Held by a transaction of its own all the while. Should it break, every step is safe all the same: each looks again.
    inTenant(database, tenant, async (client) => {
      await takeRotation(client, tenant);
      const { from, to } = await beginRoll(ring, tenant, options.patienceMs ?? PATIENCE_MS);
      const rewrapped = await rewrapAll(ring, client, tenant, { from, to, options });
      const { path } = await exportKeys(ring, tenant);
      const destroyedAt = await destroyOld(ring, tenant, from);
      return { from, to, rewrapped, exported: path, destroyedAt };
    }),
  );
}

/** The epoch to leave and the one to go to: those of a roll that was killed, else the current one and a new one. */
async function beginRoll(
  ring: Keyring,
  tenant: string,
  patienceMs: number,
): Promise<{ readonly from: number; readonly to: number }> {
  const { database, directory, roots, clock } = ring.ground;
  const epochs = await inTenant(database, tenant, (client) => readEpochs(client, tenant));
  const current = epochs.find(({ state }) => state === 'current')?.epoch;
  if (current === undefined) throw new SafekeepError('key-store-missing', { tenant, path: directory });
  const retiring = epochs.find(({ state }) => state === 'retiring')?.epoch;
  if (retiring !== undefined) return { from: retiring, to: current };
  const files = await epochsOf(directory, tenant);
  // One that a crash left before the database knew of it is used.
  const to =
    files.findLast(({ epoch, destroyedAt }) => epoch > current && destroyedAt === null)?.epoch ??
    Math.max(current, files.at(-1)?.epoch ?? 0) + 1;
  const root = await roots.current();
  await createKek(directory, await newKek(root, { tenant, epoch: to, now: clock.now() }));
  const kek = await requireKek(directory, tenant, to);
  // Opened from the file before anything is to be wrapped under it.
  await ring.epochs.open(tenant, to);
  await inTenant(database, tenant, async (client) => {
    await takeEpoch(client, tenant, patienceMs);
    await retireCurrent(client, tenant, clock.now());
    await insertEpoch(client, tenant, { epoch: to, check: Buffer.from(kek.check, 'hex'), at: clock.now() });
  });
  await ring.log({ operation: 'roll-epoch-begin', tenant, keyId: null, rows: 0, error: null });
  return { from: current, to };
}

type Moved = { readonly from: number; readonly to: number; readonly options: RollOptions };

/** `client` holds the rotation, and the cursor. */
async function rewrapAll(ring: Keyring, client: pg.ClientBase, tenant: string, { from, to, options }: Moved): Promise<number> {
  const { database } = ring.ground;
  let done = 0;
  for (let round = 0; round < ROUNDS_AT_MOST; round += 1) {
    if ((await inTenant(database, tenant, (other) => countUnder(other, tenant, from))) === 0) return done;
    const keks = { old: await ring.epochs.open(tenant, from), next: await ring.epochs.open(tenant, to) };
    // While one page is written, the next one is read and wrapped.
    let writing: Promise<number> = Promise.resolve(0);
    for await (const lines of linesOfKeys(client, tenant, { under: from, batch: PAGE })) {
      const keys = lines.map((line) => requireKeyLine(line)).filter(isLiving);
      const wrapped = rewrapKeys(keks, tenant, keys);
      const keyIds = keys.map(({ keyId }) => keyId);
      done += await writing;
      options.onProgress?.(done);
      writing = inTenant(database, tenant, (other) => rewrap(other, tenant, { keyIds, wrapped, from, to }));
      // A failure is told by the await of the next round or of the end.
      writing.catch(() => undefined);
      if (options.signal?.aborted === true) break;
    }
    done += await writing;
    options.signal?.throwIfAborted();
  }
  throw new SafekeepError('key-busy');
}

async function destroyOld(ring: Keyring, tenant: string, epoch: number): Promise<Date> {
  const { database, directory, clock } = ring.ground;
  const left = await inTenant(database, tenant, (client) => countUnder(client, tenant, epoch));
  if (left !== 0) throw new Error(`${left} keys are under epoch ${epoch} still`);
  const at = await destroyKek(directory, tenant, { epoch, at: clock.now() });
  ring.epochs.forget();
  await inTenant(database, tenant, async (client) => {
    await markDestroyed(client, tenant, { epoch, at });
    await ring.log({ operation: 'destroy-epoch', tenant, keyId: null, rows: 1, error: null }, client);
  });
  return at;
}
