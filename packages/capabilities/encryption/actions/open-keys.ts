import { randomBytes } from 'node:crypto';
import { createSealingKey, IndexKey, KEY_BYTES, KEY_ID_BYTES, openBytes, sealBytes, SealingKey } from '@safekeep/crypto';
import { LEASE_MS, SafekeepError, type Clock } from '@safekeep/core';
import { type Database, inTenant, type Queryable } from '@safekeep/postgres';
import type { KeyEvent, KeyOwner, KeyState, RecordEvent, StoredKey, SubjectKey, SubjectKeys } from '../model.ts';
import type { Roots } from '../roots/open.ts';
import { isUnusual, seals, UNUSUAL_USES, USES_AT_MOST } from '../rules/life.ts';
import { ownerMark, ownerName } from '../rules/owner.ts';
import { OWNERS, requireScope } from '../rules/scope.ts';
import { unwrapKey, unwrapKeys, wrapKeys, WRAPPED_BYTES } from '../rules/wrapping.ts';
import { insertLog } from '../store/log.ts';
import {
  addFieldUsage,
  addUsage,
  insertKeys,
  insertTombstones,
  isClient,
  KEYS_AT_ONCE,
  listKeys,
  lockOwners,
  readFieldKeys,
  readFieldKeysById,
  readKeys,
  readKeysOf,
  readOwned,
  readScope,
  shredOwners,
  type NewKey,
} from '../store/keys.ts';
import { holdEpoch, standingOf, tenantsSeen } from '../store/transaction.ts';
import { epochKeys, type EpochKeys } from './epoch-keys.ts';
import { createScope, rotateScope } from './scope-keys.ts';

export type KeyGround = {
  readonly database: Database;
  /** Where the key files lie. */
  readonly directory: string;
  readonly roots: Roots;
  readonly clock: Clock;
  /** Told beside safekeep.encryption_audit_log. */
  readonly record?: RecordEvent;
};

/** The keys of a home, opened. Holds unwrapped keys in memory; `close` writes down how often they were used. */
export type Keyring = {
  readonly ground: KeyGround;
  readonly epochs: EpochKeys;
  readonly subjectKeys: SubjectKeys;
  /**
   * The key that seals a type of data; made on first use. Ask for it again at least every {@link LEASE_MS}: it is answered from
   * memory until then. Throws `key-erased` when it was destroyed.
   */
  readonly dataKey: (tenant: string, scope: string) => Promise<SealingKey>;
  /** A data key by the id in the header of a value, whatever its version. Throws `key-unknown`, `key-erased`. */
  readonly openingKey: (tenant: string, keyId: string) => Promise<SealingKey>;
  /** Computes blind indexes of a scope; opens nothing. Made on first use, never the same as a key that seals. */
  readonly indexKey: (tenant: string, scope: string) => Promise<IndexKey>;
  /** Marks that a person's keys stand under, whatever the fate. */
  readonly marksOf: (tenant: string, subject: string, fates: readonly KeyOwner['fate'][]) => Promise<readonly Buffer[]>;
  /** Writes down how often keys were used since the last time. Call it between transactions, about once a minute. */
  readonly flushUsage: () => Promise<void>;
  readonly log: (event: KeyEvent, db?: Queryable) => Promise<void>;
  /** Forgets every key in memory. */
  readonly forget: () => void;
  readonly close: () => Promise<void>;
};

/** Unwrapped keys in memory at most: some 70 MB. */
const CACHED_AT_MOST = 100_000;
/** Keys whose count is written by one statement. */
const COUNTS_AT_ONCE = 10_000;

type Cached = {
  readonly tenant: string;
  readonly keyId: Buffer;
  readonly wrapped: Buffer;
  readonly key: SealingKey;
  counted: number;
};
type Leased<Value> = { readonly value: Value; readonly until: number };

export function openKeyring(ground: KeyGround): Keyring {
  return new Ring(ground);
}

class Ring implements Keyring {
  readonly ground: KeyGround;
  readonly epochs: EpochKeys;
  readonly subjectKeys: SubjectKeys;
  /** By key id. Only as good as the wrapped key that the database has at that moment: what was rolled back is never used. */
  readonly #cache = new Map<string, Cached>();
  readonly #data = new Map<string, Leased<SealingKey>>();
  readonly #index = new Map<string, Leased<IndexKey>>();
  /** Uses of keys that are not in the cache any more. */
  readonly #uncounted = new Map<string, { readonly tenant: string; readonly keyId: Buffer; uses: number }>();
  #flushedAt: number;
  /** Whether the login is a client's, once it was asked for. */
  #client: boolean | undefined;

  constructor(ground: KeyGround) {
    this.ground = ground;
    this.epochs = epochKeys(ground);
    this.#flushedAt = ground.clock.elapsedMs();
    this.subjectKeys = {
      forSealing: (db, owners) => this.#forSealing(db, owners),
      forOpening: (db, keyIds) => this.#forOpening(db, keyIds),
      destroy: async (db, { tenant, subject }, fates) => await this.#destroy(db, { tenant, subject, fates }),
    };
  }

  async dataKey(tenant: string, scope: string): Promise<SealingKey> {
    const name = `${tenant}/${requireScope(scope)}`;
    const found = this.#fresh(this.#data, name);
    if (found !== undefined && found.seals < USES_AT_MOST) return found;
    const key = await this.#loadScope(tenant, scope, 'data');
    this.#lease(this.#data, name, key);
    return key;
  }

  async openingKey(tenant: string, keyId: string): Promise<SealingKey> {
    const name = `${tenant}/#${keyId}`;
    const found = this.#fresh(this.#data, name);
    if (found !== undefined) return found;
    const [stored] = await inTenant(this.ground.database, tenant, async (client) => {
      const read = (await this.#isClient(client)) ? readFieldKeysById : readKeys;
      return await read(client, tenant, [Buffer.from(keyId, 'hex')]);
    });
    if (stored === undefined) throw new SafekeepError('key-unknown', { key: keyId });
    const key = await this.#openStored(stored);
    if (key === 'erased') throw new SafekeepError('key-erased', { key: keyId });
    this.#lease(this.#data, name, key);
    return key;
  }

  async indexKey(tenant: string, scope: string): Promise<IndexKey> {
    return await this.#indexKey(tenant, requireScope(scope));
  }

  async marksOf(tenant: string, subject: string, fates: readonly KeyOwner['fate'][]): Promise<readonly Buffer[]> {
    const owners = await this.#indexKey(tenant, OWNERS);
    return fates.map((fate) => ownerMark(owners, subject, fate));
  }

  async flushUsage(): Promise<void> {
    const { clock, database } = this.ground;
    const now = clock.now();
    const sinceMs = clock.elapsedMs() - this.#flushedAt;
    this.#flushedAt = clock.elapsedMs();
    for (const cached of this.#cache.values()) this.#count(cached);
    const counts = [...this.#uncounted.values()];
    this.#uncounted.clear();
    const left = new Set(counts);
    try {
      for (const [tenant, ofTenant] of Map.groupBy(counts, (each) => each.tenant)) {
        for (let at = 0; at < ofTenant.length; at += COUNTS_AT_ONCE) {
          const batch = ofTenant.slice(at, at + COUNTS_AT_ONCE);
          await inTenant(database, tenant, async (client) => {
            if (await this.#isClient(client)) return await addFieldUsage(client, tenant, batch);
            await this.#tellUnusual(client, { tenant, sinceMs, now, counts: batch });
            await addUsage(client, tenant, { counts: batch, at: now });
            const [only, ...others] = batch;
            const keyId = only === undefined || others.length > 0 ? null : only.keyId.toString('hex');
            await this.log(
              { operation: 'use', tenant, keyId, rows: batch.reduce((sum, { uses }) => sum + uses, 0), error: null },
              client,
            );
          });
          for (const each of batch) left.delete(each);
        }
      }
    } finally {
      // What was not written is written the next time.
      for (const each of left) this.#addUncounted(each);
    }
  }

  async log(event: KeyEvent, db?: Queryable): Promise<void> {
    const { database, clock, record } = this.ground;
    if (db === undefined) await inTenant(database, event.tenant, (client) => insertLog(client, event, clock.now()));
    else await insertLog(db, event, clock.now());
    await record?.(event, db);
  }

  forget(): void {
    for (const cached of this.#cache.values()) this.#count(cached);
    this.#cache.clear();
    this.#data.clear();
    this.#index.clear();
    this.epochs.forget();
  }

  async close(): Promise<void> {
    await this.flushUsage();
    this.forget();
  }

  // ---- people's keys -------------------------------------------------------------------------------------------------

  async #forSealing(db: Queryable, owners: readonly KeyOwner[]): Promise<ReadonlyMap<string, SubjectKey | 'erased'>> {
    const answer = new Map<string, SubjectKey | 'erased'>();
    for (const [tenant, ofTenant] of Map.groupBy(owners, (owner) => owner.tenant)) {
      const key = await this.#indexKey(tenant, OWNERS);
      const wanted = new Map(ofTenant.map((owner) => [ownerName(owner), owner]));
      const marked = [...wanted.values()].map((owner) => ({ owner, mark: ownerMark(key, owner.subject, owner.fate) }));
      for (let at = 0; at < marked.length; at += KEYS_AT_ONCE) {
        const found = await this.#findOrMake(db, tenant, marked.slice(at, at + KEYS_AT_ONCE));
        const handles = await this.#handles(tenant, [...found.values()]);
        for (const { owner, mark } of marked.slice(at, at + KEYS_AT_ONCE)) {
          const handle = handles.get(found.get(mark.toString('hex'))?.keyId.toString('hex') ?? '');
          if (handle === undefined) throw new Error('A key that was made is there');
          answer.set(ownerName(owner), handle);
        }
      }
    }
    return answer;
  }

  /** By mark in hex. One statement where all are there. */
  async #findOrMake(
    db: Queryable,
    tenant: string,
    marked: readonly { readonly owner: KeyOwner; readonly mark: Buffer }[],
  ): Promise<ReadonlyMap<string, StoredKey>> {
    const byMark = (keys: readonly StoredKey[]): [string, StoredKey][] => keys.map((key) => [key.mark?.toString('hex') ?? '', key]);
    const found = new Map(
      byMark(
        await readKeysOf(
          db,
          tenant,
          marked.map(({ mark }) => mark),
        ),
      ),
    );
    const missing = marked.filter(({ mark }) => !found.has(mark.toString('hex')));
    if (missing.length === 0) return found;
    const epoch = await this.#epochForMaking(db, tenant);
    const kek = await this.epochs.open(tenant, epoch);
    const bytes = randomBytes(missing.length * KEY_BYTES);
    const places = missing.map(({ owner, mark }) => ({
      keyId: randomBytes(KEY_ID_BYTES),
      purpose: 'subject' as const,
      scope: null,
      mark,
      fate: owner.fate,
      version: 1,
    }));
    const wrapped = wrapKeys(kek, tenant, places, bytes);
    bytes.fill(0);
    const made = places.map((place, number): NewKey => ({
      ...place,
      tenant,
      state: 'active',
      epoch,
      wrapped: wrapped.subarray(number * WRAPPED_BYTES, (number + 1) * WRAPPED_BYTES),
      algorithm: 'AES-256-GCM',
      expiresAt: null,
    }));
    const inserted = await insertKeys(db, tenant, made, this.ground.clock.now());
    if (inserted === made.length) for (const key of made) found.set(key.mark?.toString('hex') ?? '', { ...key, usageCount: 0 });
    // Of two who make a key at once one wins, and both use the winner's.
    else
      for (const [mark, key] of byMark(
        await readKeysOf(
          db,
          tenant,
          missing.map(({ mark }) => mark),
        ),
      ))
        found.set(mark, key);
    return found;
  }

  /** The epoch that keys are made under now; until the transaction ends it stays the current one. */
  async #epochForMaking(db: Queryable, tenant: string): Promise<number> {
    await holdEpoch(db, tenant);
    return await this.epochs.current(tenant, db);
  }

  async #forOpening(db: Queryable, keyIds: readonly string[]): Promise<ReadonlyMap<string, SubjectKey | 'erased'>> {
    const answer = new Map<string, SubjectKey | 'erased'>();
    const { tenant } = await standingOf(db);
    const tenants = tenant === null ? await tenantsSeen(db) : [tenant];
    let wanted = [...new Set(keyIds)];
    for (const each of tenants) {
      for (let at = 0; at < wanted.length; at += KEYS_AT_ONCE) {
        const ids = wanted.slice(at, at + KEYS_AT_ONCE).map((id) => Buffer.from(id, 'hex'));
        for (const [id, handle] of await this.#handles(each, await readKeys(db, each, ids))) answer.set(id, handle);
      }
      wanted = wanted.filter((id) => !answer.has(id));
    }
    return answer;
  }

  async #destroy(
    db: Queryable,
    { tenant, subject, fates }: { readonly tenant: string; readonly subject: string; readonly fates: readonly KeyOwner['fate'][] },
  ): Promise<readonly string[]> {
    const { clock } = this.ground;
    const marks = await this.marksOf(tenant, subject, fates);
    const epoch = await this.#epochForMaking(db, tenant);
    // One that was never made is remembered as destroyed: nobody makes it afterwards. Whoever makes it right now is waited for.
    const tombstones = marks.map((mark, number) => ({
      keyId: Buffer.from(createSealingKey().id, 'hex'),
      mark,
      fate: fates[number] ?? 'erasable',
    }));
    const owned = new Set((await readOwned(db, tenant, marks)).map(({ mark }) => mark.toString('hex')));
    const unmade = tombstones.filter(({ mark }) => !owned.has(mark.toString('hex')));
    if (unmade.length > 0) await insertTombstones(db, tenant, { keys: unmade, epoch, at: clock.now() });
    await lockOwners(db, tenant, marks);
    await shredOwners(db, tenant, marks, clock.now());
    const destroyed = (await readOwned(db, tenant, marks)).map(({ keyId }) => keyId.toString('hex'));
    for (const id of destroyed) this.#evict(id);
    return destroyed;
  }

  /** By key id. */
  async #handles(tenant: string, stored: readonly StoredKey[]): Promise<ReadonlyMap<string, SubjectKey | 'erased'>> {
    const keys = await this.#openAll(tenant, stored);
    return new Map(
      stored.map(({ keyId, state }) => {
        const id = keyId.toString('hex');
        const key = keys.get(id) ?? 'erased';
        return [id, key === 'erased' ? key : handleOf(key, state, this.ground.clock)];
      }),
    );
  }

  // ---- keys of data and of indexes -----------------------------------------------------------------------------------

  async #indexKey(tenant: string, scope: string): Promise<IndexKey> {
    const name = `${tenant}/${scope}`;
    const found = this.#fresh(this.#index, name);
    if (found !== undefined) return found;
    const stored = await this.#newestOf(tenant, scope, 'index');
    const bytes = await this.#unwrap(stored);
    if (bytes === 'erased') throw new SafekeepError('key-erased', { key: stored.keyId.toString('hex') });
    const key = new IndexKey(bytes);
    bytes.fill(0);
    this.#lease(this.#index, name, key);
    return key;
  }

  async #loadScope(tenant: string, scope: string, purpose: 'data'): Promise<SealingKey> {
    let stored = await this.#newestOf(tenant, scope, purpose);
    // A client makes no key; the one that it has seals no more at the same limit.
    if (stored.usageCount >= USES_AT_MOST && this.#client !== true) {
      await rotateScope(this, { tenant, scope, purpose, expiresAt: null });
      stored = await this.#newestOf(tenant, scope, purpose);
    }
    const key = await this.#openStored(stored);
    if (key === 'erased') throw new SafekeepError('key-erased', { key: stored.keyId.toString('hex') });
    return key;
  }

  /** Committed by itself, so that no transaction that is rolled back takes with it what others have sealed under it. */
  async #newestOf(tenant: string, scope: string, purpose: 'data' | 'index'): Promise<StoredKey> {
    const { database } = this.ground;
    const find = async (db: Queryable): Promise<StoredKey | undefined> => {
      if (await this.#isClient(db)) {
        const keys = await readFieldKeys(db, tenant, { purpose, scope });
        return keys.find(({ state }) => state !== 'pre-active') ?? keys[0];
      }
      const versions = await readScope(db, tenant, { purpose, scope });
      const newest = versions.find(({ state }) => state !== 'pre-active') ?? versions[0];
      return newest === undefined ? undefined : (await readKeys(db, tenant, [newest.keyId]))[0];
    };
    const found = await inTenant(database, tenant, find);
    if (found !== undefined) return found;
    if (this.#client === true) throw new SafekeepError('key-unknown', { key: scope });
    await createScope(this, { tenant, scope, purpose, expiresAt: null, state: 'active' });
    const made = await inTenant(database, tenant, find);
    if (made === undefined) throw new Error('A key that was made is there');
    return made;
  }

  async #isClient(db: Queryable): Promise<boolean> {
    return (this.#client ??= await isClient(db));
  }

  // ---- opening -------------------------------------------------------------------------------------------------------

  async #openStored(stored: StoredKey): Promise<SealingKey | 'erased'> {
    return (await this.#openAll(stored.tenant, [stored])).get(stored.keyId.toString('hex')) ?? 'erased';
  }

  /** By key id; all that are not in memory are unwrapped together. */
  async #openAll(tenant: string, stored: readonly StoredKey[]): Promise<ReadonlyMap<string, SealingKey | 'erased'>> {
    const answer = new Map<string, SealingKey | 'erased'>();
    const closed: (StoredKey & { readonly wrapped: Buffer })[] = [];
    for (const each of stored) {
      const id = each.keyId.toString('hex');
      const cached = this.#cache.get(id);
      if (each.wrapped === null) {
        this.#evict(id);
        answer.set(id, 'erased');
      } else if (cached !== undefined && cached.wrapped.equals(each.wrapped)) answer.set(id, cached.key);
      else closed.push({ ...each, wrapped: each.wrapped });
    }
    for (const [epoch, ofEpoch] of Map.groupBy(closed, (each) => each.epoch)) {
      const bytes = unwrapKeys(await this.epochs.open(tenant, epoch), tenant, ofEpoch);
      ofEpoch.forEach(({ keyId, wrapped, usageCount }, number) => {
        const key = new SealingKey(keyId.toString('hex'), bytes.subarray(number * KEY_BYTES, (number + 1) * KEY_BYTES), usageCount);
        this.#remember({ tenant, keyId, wrapped, key, counted: key.seals });
        answer.set(key.id, key);
      });
      bytes.fill(0);
    }
    return answer;
  }

  #remember(opened: Cached): void {
    this.#evict(opened.key.id);
    this.#cache.set(opened.key.id, opened);
    if (this.#cache.size <= CACHED_AT_MOST) return;
    for (const oldest of this.#cache.keys()) return this.#evict(oldest);
  }

  async #unwrap(stored: StoredKey): Promise<Buffer | 'erased'> {
    if (stored.wrapped === null) return 'erased';
    return unwrapKey(await this.epochs.open(stored.tenant, stored.epoch), stored, stored.wrapped);
  }

  #evict(id: string): void {
    const cached = this.#cache.get(id);
    if (cached === undefined) return;
    this.#count(cached);
    this.#cache.delete(id);
  }

  #count(cached: Cached): void {
    const uses = cached.key.seals - cached.counted;
    if (uses === 0) return;
    cached.counted = cached.key.seals;
    this.#addUncounted({ tenant: cached.tenant, keyId: cached.keyId, uses });
  }

  #addUncounted(more: { readonly tenant: string; readonly keyId: Buffer; readonly uses: number }): void {
    const id = more.keyId.toString('hex');
    const known = this.#uncounted.get(id);
    if (known === undefined) this.#uncounted.set(id, { ...more });
    else known.uses += more.uses;
  }

  async #tellUnusual(
    db: Queryable,
    {
      tenant,
      sinceMs,
      now,
      counts,
    }: {
      readonly tenant: string;
      readonly sinceMs: number;
      readonly now: Date;
      readonly counts: readonly { readonly keyId: Buffer; readonly uses: number }[];
    },
  ): Promise<void> {
    const many = counts.filter(({ uses }) => uses >= UNUSUAL_USES);
    if (many.length === 0) return;
    const listed = await listKeys(db, tenant, { limit: many.length, ids: many.map(({ keyId }) => keyId) });
    for (const { keyId, uses: before, createdAt } of listed) {
      const uses = many.find((each) => each.keyId.equals(keyId))?.uses ?? 0;
      if (isUnusual({ uses, before, createdAt, sinceMs }, now))
        await this.log({ operation: 'unusual-use', tenant, keyId: keyId.toString('hex'), rows: uses, error: null }, db);
    }
  }

  #fresh<Value>(leases: ReadonlyMap<string, Leased<Value>>, name: string): Value | undefined {
    const found = leases.get(name);
    return found !== undefined && this.ground.clock.elapsedMs() < found.until ? found.value : undefined;
  }

  #lease<Value>(leases: Map<string, Leased<Value>>, name: string, value: Value): void {
    leases.delete(name);
    leases.set(name, { value, until: this.ground.clock.elapsedMs() + LEASE_MS });
    if (leases.size > CACHED_AT_MOST) for (const oldest of leases.keys()) return void leases.delete(oldest);
  }
}

/** What others hold of a person's key: it works while it may not have been destroyed for longer than the lease. */
function handleOf(key: SealingKey, state: KeyState, clock: Clock): SubjectKey {
  const until = clock.elapsedMs() + LEASE_MS;
  const refuseOld = (): void => {
    if (clock.elapsedMs() >= until) throw new SafekeepError('key-lease-expired', { key: key.id });
  };
  return {
    keyId: key.id,
    seal: (plain, context) => {
      refuseOld();
      if (!seals(state)) throw new SafekeepError('key-not-active', { key: key.id, state });
      return sealBytes(key, context, plain);
    },
    open: (sealed, context) => {
      refuseOld();
      return openBytes(key, context, sealed);
    },
  };
}
