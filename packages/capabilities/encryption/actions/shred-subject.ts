import type pg from 'pg';
import { inTenant, type Queryable } from '@safekeep/postgres';
import { formatPerson, formatKey, heldBy, parseKey, type ReleaseListener } from '../../holds/index.ts';
import { recoverIntents, runRecorded, type Ledger } from '../../ledger/index.ts';
import { type Fate, type PersonKey, type SealedPlace } from '../model.ts';
import { makeDue, queueShred, readQueue, removeShred } from '../store/queue.ts';
import { readOwned, setState, shredKeys } from '../store/keys.ts';
import type { Keyring } from './open-keys.ts';

export type ShredGround = {
  readonly ring: Keyring;
  readonly ledger: Ledger;
  readonly tenant: string;
  /** Where blind indexes of the person are nulled. */
  readonly places: readonly SealedPlace[];
};

export type ShredOutcome =
  | {
      readonly state: 'shredded';
      readonly operation: string;
      readonly keyIds: readonly string[];
      readonly epochs: readonly number[];
      readonly counts: Readonly<Record<string, number>>;
    }
  /** Nothing was destroyed; it is queued, and tried again when a hold is released. */
  | { readonly state: 'held'; readonly holds: readonly string[] };

/** At most as many queued people in one go. */
const QUEUE_AT_ONCE = 1_000;

class Held extends Error {
  readonly holds: readonly string[];
  constructor(holds: readonly string[]) {
    super('held');
    this.holds = holds;
  }
}

/**
 * Destroys the keys of a person: the intent is in the ledger before, holds are asked in the transaction that destroys, wrapped keys
 * are overwritten and blind indexes nulled with it. Afterwards what is sealed under them opens nowhere; in other processes within
 * a minute. Copies of the database: see `horizon`.
 *
 * @throws what the ledger and `heldBy` throw; then nothing was destroyed.
 */
export async function shredSubject(
  { ring, ledger, tenant, places }: ShredGround,
  { person, fates = ['erasable'] }: { readonly person: PersonKey; readonly fates?: readonly Fate[] },
): Promise<ShredOutcome> {
  const { database, clock } = ring.ground;
  const subject = formatPerson(person);
  const marks = await ring.marksOf(tenant, subject, fates);
  const known = await inTenant(database, tenant, (client) => readOwned(client, tenant, marks));
  const ids = Object.fromEntries(
    known.slice(0, IDS_AT_MOST).map(({ keyId }, number) => [`key-${number + 1}`, keyId.toString('hex')]),
  );
  try {
    const { id, result } = await runRecorded(
      { database, ledger, tenant, clock },
      {
        plan: async () => ({ operation: 'shredding', marks: [], counts: { 'safekeep.encryption_keys': known.length }, ids }),
        prepare: (client) => refuseHeld(client, tenant, person),
        destroy: (client) => destroyAll(ring, client, { tenant, subject, person, fates, places }),
      },
    );
    return { state: 'shredded', operation: id, ...result };
  } catch (error) {
    if (!(error instanceof Held)) throw error;
    await inTenant(database, tenant, async (client) => {
      await setState(client, tenant, { ids: known.map(({ keyId }) => keyId), from: ['active'], to: 'held' });
      await queueShred(client, tenant, { type: person.type, key: formatKey(person.key), fates }, clock.now());
      await ring.log({ operation: 'shred', tenant, keyId: null, rows: 0, error: 'held' }, client);
    });
    return { state: 'held', holds: error.holds };
  }
}

/** Ids of one entry of the ledger, at most. */
const IDS_AT_MOST = 90;

async function refuseHeld(client: pg.ClientBase, tenant: string, person: PersonKey): Promise<void> {
  const holds = await heldBy(client, tenant, { people: [person] });
  if (holds.length > 0) throw new Held(holds.map(({ id }) => id));
}

async function destroyAll(
  ring: Keyring,
  client: pg.ClientBase,
  {
    tenant,
    subject,
    person,
    fates,
    places,
  }: {
    readonly tenant: string;
    readonly subject: string;
    readonly person: PersonKey;
    readonly fates: readonly Fate[];
    readonly places: readonly SealedPlace[];
  },
) {
  const keyIds = await ring.subjectKeys.destroy(client, { tenant, subject }, fates);
  const { epochs, counts: beside } = await endShred(ring, client, { tenant, person, fates, places });
  const counts = { 'safekeep.encryption_keys': keyIds.length, ...beside };
  return { result: { keyIds, epochs, counts }, counts };
}

/**
 * What belongs to the end of a person's keys, in the transaction that destroyed them: what would outlive them is nulled, nobody is to
 * shred them again, the log of keys says so. Answers the epochs that they were under, for the horizon.
 */
export async function endShred(
  ring: Keyring,
  client: pg.ClientBase,
  {
    tenant,
    person,
    fates,
    places,
  }: {
    readonly tenant: string;
    readonly person: PersonKey;
    readonly fates: readonly Fate[];
    readonly places: readonly SealedPlace[];
  },
): Promise<{ readonly epochs: readonly number[]; readonly counts: Readonly<Record<string, number>> }> {
  const marks = await ring.marksOf(tenant, formatPerson(person), fates);
  const owned = await readOwned(client, tenant, marks);
  const counts: Record<string, number> = {};
  for (const place of places) {
    for (const [table, rows] of Object.entries((await place.forget?.(client, tenant, person)) ?? {}))
      counts[table] = (counts[table] ?? 0) + rows;
  }
  await removeShred(client, tenant, { type: person.type, key: formatKey(person.key), fates });
  await ring.log({ operation: 'shred', tenant, keyId: null, rows: owned.length, error: null }, client);
  return { epochs: [...new Set(owned.map(({ epoch }) => epoch))], counts };
}

/** The id of a key of the person's of these fates, in hex; null where they have none, or all were destroyed. */
export async function livingKeyOf(
  ring: Keyring,
  db: Queryable,
  tenant: string,
  person: PersonKey,
  fates: readonly Fate[] = ['erasable'],
): Promise<string | null> {
  for (const fate of fates) {
    const [id = null] = await livingKeysOf(ring, db, tenant, [person], fate);
    if (id !== null) return id;
  }
  return null;
}

/** The same of many, by their places: one question for all of them. */
export async function livingKeysOf(
  ring: Keyring,
  db: Queryable,
  tenant: string,
  people: readonly PersonKey[],
  fate: Fate = 'erasable',
): Promise<readonly (string | null)[]> {
  const marks: string[] = [];
  for (const person of people) {
    const [mark] = await ring.marksOf(tenant, formatPerson(person), [fate]);
    marks.push(mark?.toString('hex') ?? '');
  }
  const owned = await readOwned(
    db,
    tenant,
    marks.map((mark) => Buffer.from(mark, 'hex')),
  );
  const living = new Map<string, string>();
  for (const { mark, keyId, state } of owned)
    if (state !== 'shredded' && !living.has(mark.toString('hex'))) living.set(mark.toString('hex'), keyId.toString('hex'));
  return marks.map((mark) => living.get(mark) ?? null);
}

export type ShredsWorkedOff = {
  readonly shredded: number;
  readonly held: number;
  readonly recovered: { readonly done: readonly string[]; readonly abandoned: readonly string[] };
};

/** Ends what a crash left open in the ledger, and tries again whom a hold had kept. */
export async function workOffShreds(ground: ShredGround): Promise<ShredsWorkedOff> {
  const { ring, ledger, tenant } = ground;
  const { database } = ring.ground;
  const recovered = await recoverIntents({ database, ledger, tenant });
  const queue = await inTenant(database, tenant, (client) => readQueue(client, tenant, QUEUE_AT_ONCE));
  let shredded = 0;
  for (const { type, key, fates } of queue) {
    const parts = parseKey(key);
    if ('fault' in parts) throw new Error('A queued key was written by formatKey');
    const { state } = await shredSubject(ground, { person: { type, key: parts }, fates });
    if (state === 'shredded') shredded += 1;
  }
  return { shredded, held: queue.length - shredded, recovered };
}

/**
 * After a restore: destroys again what the ledger says was destroyed, by key id. A crash in between leaves nothing undone: it is
 * looked at as a whole each time.
 */
export async function replayShreds({ ring, ledger, tenant }: Pick<ShredGround, 'ring' | 'ledger' | 'tenant'>): Promise<number> {
  const { database, clock } = ring.ground;
  let destroyed = 0;
  for await (const { entry } of ledger.read()) {
    if (entry.kind !== 'done' || entry.operation !== 'shredding' || entry.tenant !== tenant) continue;
    const ids = Object.entries(entry.ids)
      .filter(([name]) => name.startsWith('key-'))
      .map(([, id]) => Buffer.from(id, 'hex'));
    const again = await inTenant(database, tenant, (client) => shredKeys(client, tenant, ids, clock.now()));
    if (again.length === 0) continue;
    destroyed += again.length;
    const { id, operation, counts } = entry;
    await ledger.append({ kind: 'replayed', id, tenant, operation, counts, ids: entry.ids });
  }
  ring.forget();
  return destroyed;
}

/** For `onRelease`, registered where the program is put together: what the hold had stopped is due. */
export const shredsAfterRelease: ReleaseListener = async (client, { tenant, hold }) => {
  await makeDue(client, tenant, hold.person);
};
