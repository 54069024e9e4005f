import type pg from 'pg';
import { newId, SafekeepError, type Clock } from '@safekeep/core';
import { together, type Database } from '@safekeep/postgres';
import type { NewIntent, OperationId, Verification } from '../model.ts';
import { begin, beginOperation, commit, insertHead, readSeen, rollback, wasCommitted } from '../store.ts';
import type { Begun, Ledger, Resolution } from './open-ledger.ts';

export type RecordedGround = {
  readonly database: Database;
  readonly ledger: Ledger;
  readonly tenant: string;
  readonly clock: Clock;
};

/** What is going to be destroyed; the ledger adds the rest. */
export type Plan = Pick<NewIntent, 'operation' | 'marks' | 'counts' | 'ids'>;

/** What was done, for the last entry. */
export type Outcome<Result> = { readonly result: Result; readonly counts: NewIntent['counts'] };

export type Recorded<Ready, Result> = {
  readonly plan: (client: pg.ClientBase) => Promise<Plan>;
  /** Reads and locks what is going to be destroyed, while the intent is on its way to the disk. Changes nothing. */
  readonly prepare: (client: pg.ClientBase, id: OperationId) => Promise<Ready>;
  readonly destroy: (client: pg.ClientBase, ready: Ready, id: OperationId) => Promise<Outcome<Result>>;
};

/**
 * Destroys something in one transaction, with the ledger before and after: the intent is on disk before `destroy` is called,
 * and the transaction leaves a trace of it that is committed with the work or not at all. So whatever dies when, `recoverIntents`
 * can tell what happened. `prepare` or `destroy` asks `heldBy` itself, with the client it is given; where one of them throws nothing
 * was destroyed.
 */
export async function runRecorded<Ready, Result>(
  { database, ledger, tenant, clock }: RecordedGround,
  { plan, prepare, destroy }: Recorded<Ready, Result>,
): Promise<{ readonly id: OperationId; readonly result: Result }> {
  const id = newId<'operation'>();
  const made = await database.withClient(async (client) => {
    let attempt: { readonly begun: Begun; readonly outcome: Outcome<Result> } | { readonly error: unknown };
    let begun: Begun | undefined;
    try {
      const [isTaken, planned] = await together(client, [() => beginOperation(client, tenant, id), () => plan(client)]);
      if (!isTaken) throw new Error('A new operation is carried out by somebody else');
      const intent: NewIntent = { kind: 'intent', id, tenant, ...planned };
      const [appended, ready] = await Promise.allSettled([ledger.append(intent), prepare(client, id)]);
      if (appended.status === 'rejected') throw appended.reason;
      const receipt = appended.value;
      begun = { intent, place: receipt.place };
      if (ready.status === 'rejected') throw ready.reason;
      attempt = { begun, outcome: await destroy(client, ready.value, id) };
      await insertHead(client, tenant, { receipt, at: clock.now() });
    } catch (error) {
      attempt = { error };
    }
    if ('error' in attempt) {
      try {
        await rollback(client);
      } catch {
        // The connection is gone, and with it the transaction; recoverIntents ends the intent. What went wrong first is what to tell.
        throw attempt.error;
      }
      // Only now: until the transaction is over the intent is being carried out.
      if (begun !== undefined) await ledger.end(begun, { kind: 'abandoned', reason: 'rolled-back' });
      return attempt;
    }
    // Where the connection breaks here nobody knows whether it was committed: the intent stays open for recoverIntents.
    await commit(client);
    return attempt;
  });
  if ('error' in made) throw made.error;
  await ledger.end(made.begun, { kind: 'done', counts: made.outcome.counts });
  return { id, result: made.outcome.result };
}

/**
 * Ends the intents of a tenant that a crash left open: done where the database has its trace, abandoned where it has not, and
 * left alone where a living transaction carries it out. Returns the ids by what became of them.
 */
export async function recoverIntents({
  database,
  ledger,
  tenant,
}: Omit<RecordedGround, 'clock'>): Promise<{ readonly done: readonly string[]; readonly abandoned: readonly string[] }> {
  const ended = await ledger.recover(async (intent): Promise<Resolution> => {
    if (intent.tenant !== tenant) return { kind: 'open' };
    return await database.withClient(async (client) => {
      // An entry's id was held against the pattern of one when it was written.
      const id = intent.id as OperationId;
      const isDead = await beginOperation(client, tenant, id);
      const resolution: Resolution = !isDead
        ? { kind: 'open' }
        : (await wasCommitted(client, tenant, id))
          ? { kind: 'done', counts: intent.counts }
          : { kind: 'abandoned', reason: 'not-committed' };
      await rollback(client);
      return resolution;
    });
  });
  const idsOf = (kind: 'done' | 'abandoned'): readonly string[] => ended.filter((entry) => entry.kind === kind).map(({ id }) => id);
  return { done: idsOf('done'), abandoned: idsOf('abandoned') };
}

/**
 * The ledger of this home after it was held against all of its witnesses, the database among them: before anything is done because of
 * what it says. Throws `ledger-broken` with the first fault.
 */
export async function verifyRecorded({ database, ledger, tenant }: Omit<RecordedGround, 'clock'>): Promise<Verification> {
  const seen = await database.withClient(async (client) => {
    await begin(client, tenant);
    const heads = await readSeen(client, tenant, ledger.id);
    await rollback(client);
    return heads;
  });
  const verified = await ledger.verify(seen);
  const [fault] = verified.faults;
  if (fault !== undefined) throw new SafekeepError('ledger-broken', { reason: `${fault.code}: ${fault.detail}` });
  return verified;
}
