import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { codeOf, formatColumnName, formatTableName, LEASE_MS, SafekeepError, type Clock } from '@safekeep/core';
import { type Database } from '@safekeep/postgres';
import { reapplyWithin, type Contributor } from '../../../plan/index.ts';
import type { Field, FieldKeys } from '../model.ts';
import { currentTypes, missingIndexes, runAll, vacuumPatience, type IndexesAsked } from '../store/definition.ts';
import { heirsOf, hidesRows, valuesApart } from '../store/partitions.ts';
import type { IndexSteps } from '../store/partitions.ts';
import { begin, commit, giveWay, loggedBy, rollback, runAlone, takeLease } from '../store/session.ts';

/** Told as the work goes on; a test stops or kills it there. */
export type Moment = 'phase' | 'read' | 'sealed' | 'written' | 'committed' | 'locked' | 'waiting';
export type Observer = (
  moment: Moment,
  field: Pick<Field, 'phase'>,
  counts: { readonly done: number; readonly total: number },
) => void;

/** Where, for whom and with which keys fields are moved. */
export type Ground = {
  readonly database: Database;
  readonly tenant: string;
  readonly clock: Clock;
  /** Work stops between transactions, never inside of one. */
  readonly signal: AbortSignal;
  readonly observe: Observer;
  readonly keys: FieldKeys;
  /** Whose work on a table rests on its columns, as the capture of an audited one: it is made anew with them. */
  readonly follows?: readonly Contributor[];
  /** How hard to try for a lock; {@link PATIENCE} unless said otherwise. */
  readonly patience?: Patience;
  /** For how long clients may believe what they knew of a field before; {@link LEASE_MS} unless said otherwise. */
  readonly leaseMs?: number;
};

/**
 * While a lock is waited for, everybody who comes later waits behind us: short tries, with pauses between. Far below the
 * server's deadlock_timeout (1 s): in a deadlock we give way, and the application never learns of it.
 */
export type Patience = { readonly tries: number; readonly lockTimeoutMs: number; readonly pauseMs: number };

const PATIENCE: Patience = { tries: 100, lockTimeoutMs: 250, pauseMs: 200 };

/**
 * For a row that somebody else has, while a batch of rows is ours and others may wait for those: as good as not at all. The second
 * try leaves such rows out.
 */
export const ROW_PATIENCE_MS = 20;

/** Somebody's own VACUUM gives way to nobody: writers, who wait behind us, shall not stand still all the while. */
const LONG_WAIT_EVERY = 10;

export function patienceOf({ patience = PATIENCE }: Pick<Ground, 'patience'>): Patience {
  return patience;
}

export function leaseOf({ leaseMs = LEASE_MS }: Ground): number {
  return leaseMs;
}

/**
 * What clients of the SDK know of a field is as old as the lease at most: after it all of them have heard. Sessions of the database mode
 * know nothing for longer than a transaction.
 */
export async function untilHeard(ground: Ground, field: Field | undefined, leftMs = leaseOf(ground)): Promise<void> {
  if (field === undefined || leftMs <= 0) return;
  ground.observe('waiting', field, { done: field.done, total: field.total });
  await wait(leftMs, undefined, { signal: ground.signal });
}

/** lock_not_available, deadlock_detected, serialization_failure: another session stood in the way, and may be gone next time. */
export function isBlocked(error: unknown): boolean {
  return ['55P03', '40P01', '40001'].includes(codeOf(error) ?? '');
}

/** undefined_column, undefined_table, invalid_schema_name, datatype_mismatch, cannot_coerce: it was altered under us. */
const ALTERED = new Set(['42703', '42P01', '3F000', '42804', '42846']);

/**
 * A short transaction that may need a lock: tried again while somebody stands in the way. A failure inside throws the
 * connection away and with it everything that was done here. A vacuum is waited for as long as it takes to make it give way.
 *
 * @throws `lock-timeout`, `field-changed`.
 */
export async function inTransaction<Result>(
  ground: Ground,
  field: Field,
  run: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  const patience = patienceOf(ground);
  let waitMs = patience.lockTimeoutMs;
  for (let tries = 1; ; tries += 1) {
    ground.signal.throwIfAborted();
    try {
      return await ground.database.withClient(async (client) => {
        await begin(client, ground.tenant, waitMs);
        const result = await run(client);
        await commit(client);
        return result;
      });
    } catch (error) {
      if (!isBlocked(error)) throw fieldFailure(field, error);
      if (tries === patience.tries) throw new SafekeepError('lock-timeout', { target: nameOf(field), tries }, { cause: error });
      // After a long pass over a large table an autovacuum begins, and would outlast any number of short tries.
      const isLong = tries % LONG_WAIT_EVERY === 1;
      const vacuumMs = isLong ? await ground.database.withClient((client) => vacuumPatience(client, field)) : null;
      waitMs = vacuumMs ?? patience.lockTimeoutMs;
      // Jitter: two that wait for each other must not meet again.
      await wait(patience.pauseMs * (0.5 + Math.random()), undefined, { signal: ground.signal });
    }
  }
}

/** Reads in a transaction that is rolled back. */
export async function reading<Result>(
  { database, tenant }: Pick<Ground, 'database' | 'tenant'>,
  run: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  return await database.withClient(async (client) => {
    await begin(client, tenant);
    const result = await run(client);
    await rollback(client);
    return result;
  });
}

/** What a person is told when the column is not what it was, or not all of its rows are seen. The transaction is gone with the connection. */
export function fieldFailure(field: Field, error: unknown): unknown {
  if (isHidden(error)) return new SafekeepError('field-rows-hidden', { field: nameOf(field) }, { cause: error });
  const state = codeOf(error) ?? '';
  if (!ALTERED.has(state)) return error;
  const called = functionOf(error);
  if (called !== undefined)
    return new SafekeepError('field-trigger-failed', { field: nameOf(field), function: called, state }, { cause: error });
  return new SafekeepError('field-changed', { field: nameOf(field) }, { cause: error });
}

/** A function of the user's in which a statement failed. The context may quote the statement, and is told no further. */
function functionOf(error: unknown): string | undefined {
  const where = error instanceof pg.DatabaseError ? error.where : undefined;
  const [, name] = /^PL\/pgSQL function (\S+)\(.*\) line \d+/m.exec(where ?? '') ?? [];
  return name === undefined || name.startsWith('safekeep.') ? undefined : name;
}

/** `query would be affected by row-level security policy`, in whatever language: of all that lacks a privilege this is said there. */
function isHidden(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.routine === 'check_enable_rls';
}

/** @throws `field-values-logged` where plaintext that we write would stand in the server's log */
export async function requireUnlogged(
  ground: Pick<Ground, 'database' | 'tenant'>,
  field: Pick<Field, 'table' | 'column'>,
): Promise<void> {
  const setting = await reading(ground, loggedBy);
  if (setting !== null) throw new SafekeepError('field-values-logged', { field: nameOf(field), setting });
}

/** Inside of a transaction that has the table locked: the column is still the one that was planned for. */
export async function requireUnaltered(client: pg.ClientBase, ...fields: readonly Field[]): Promise<void> {
  const types = await currentTypes(client, fields);
  const altered = fields.find(({ columnType }, place) => types[place] !== columnType);
  if (altered !== undefined) throw new SafekeepError('field-changed', { field: nameOf(altered) });
}

/**
 * No pass comes to rows that row security hides, nor to a table that inherits from this one, whose columns go with this one's. Under a lock
 * of the table it stays so.
 *
 * @throws `field-rows-hidden`, `field-inherited`
 */
export async function requireAllReached(client: pg.ClientBase, field: Field): Promise<void> {
  if (await hidesRows(client, field)) throw new SafekeepError('field-rows-hidden', { field: nameOf(field) });
  const heirs = await heirsOf(client, field);
  if (heirs.length === 0) return;
  throw new SafekeepError('field-inherited', { field: nameOf(field), tables: heirs.map(formatTableName).join(', ') });
}

/**
 * Nor does one come to a partition that was detached: under an old key, or with its plaintext, it would stay behind unnoticed.
 *
 * @throws `field-partition-detached`, and what {@link requireAllReached} throws
 */
export async function requireNoneApart(client: pg.ClientBase, field: Field): Promise<void> {
  // Where the table was renamed each partition would look detached; the step itself says what happened.
  if ((await currentTypes(client, [field]))[0] === null) return;
  await requireAllReached(client, field);
  const apart = await valuesApart(client, field);
  if (apart.length === 0) return;
  throw new SafekeepError('field-partition-detached', { field: nameOf(field), tables: apart.map(formatTableName).join(', ') });
}

/**
 * Runs with the right to move these fields, which nobody else has meanwhile. Where its connection is lost the work stops at its next
 * transaction: somebody else may have the right by then.
 *
 * @throws `field-busy`.
 */
export async function withLease<Result>(
  ground: Ground,
  fields: readonly Field[],
  run: (ground: Ground) => Promise<Result>,
): Promise<Result> {
  return await ground.database.withClient(async (client) => {
    const lost = new AbortController();
    const busy = (field: Field | undefined, cause?: Error): SafekeepError =>
      new SafekeepError('field-busy', { field: field === undefined ? '' : nameOf(field) }, { cause });
    const onLost = (error: Error): void => lost.abort(busy(fields[0], error));
    client.once('error', onLost);
    const taken = await takeLease(client, fields);
    if (taken !== undefined) {
      await rollback(client);
      throw busy(taken);
    }
    try {
      return await run({ ...ground, signal: AbortSignal.any([ground.signal, lost.signal]) });
    } finally {
      await rollback(client);
      client.off('error', onLost);
    }
  });
}

/**
 * What was applied to the table and rests on its columns follows them, in the transaction that changed them and has the table locked:
 * every write is captured by what knows the columns as they are then. By the map that was applied last, whoever edited it since.
 */
export async function follow(client: pg.ClientBase, ground: Ground, field: Pick<Field, 'table'>): Promise<void> {
  const { tenant, clock, follows: contributors = [] } = ground;
  await reapplyWithin(client, { tenant, contributors, target: formatTableName(field.table), at: clock.now() });
}

/**
 * Index by index, each time by what stands then: partitions come, go and bring indexes along meanwhile. What failed over something that
 * is gone since is not asked for again.
 *
 * @throws `lock-timeout` where others alter the table again and again.
 */
export async function buildIndexes(ground: Ground, field: Field, asked: IndexesAsked): Promise<void> {
  const missing = async () => (await reading(ground, (client) => missingIndexes(client, field, asked)))[0];
  const { tries, pauseMs } = patienceOf(ground);
  let failed = 0;
  for (let steps = await missing(); steps !== undefined;) {
    ground.signal.throwIfAborted();
    try {
      await runSteps(ground, field, steps);
      steps = await missing();
    } catch (error) {
      const next = await missing();
      if (!isBlocked(error) && isSame(steps, next)) throw error;
      failed += 1;
      if (failed === tries) throw new SafekeepError('lock-timeout', { target: nameOf(field), tries }, { cause: error });
      await wait(pauseMs * (0.5 + Math.random()), undefined, { signal: ground.signal });
      steps = next;
    }
  }
}

async function runSteps(ground: Ground, field: Field, steps: IndexSteps): Promise<void> {
  for (const { sql, isAlone } of steps) {
    if (isAlone) await yielding(ground, sql);
    else await inTransaction(ground, field, (client) => runAll(client, [sql]));
  }
}

function isSame(steps: IndexSteps = [], others: IndexSteps = []): boolean {
  return steps.length === others.length && steps.every(({ sql }, place) => sql === others[place]?.sql);
}

/** Below the server's deadlock_timeout (1 s), with time to spare on a server that is busy. */
const GIVE_WAY_EVERY_MS = 200;

/** {@link runAlone}, which ends as if it had come upon a lock where somebody comes to wait for it. */
async function yielding({ database }: Ground, statement: string): Promise<void> {
  const ended = new AbortController();
  let gaveWay = false;
  const run = async (): Promise<void> => {
    try {
      await database.withClient((client) => runAlone(client, statement));
    } finally {
      ended.abort();
    }
  };
  const watch = async (): Promise<void> => {
    for (;;) {
      // The end of the statement ends the pause too.
      await wait(GIVE_WAY_EVERY_MS, undefined, { signal: ended.signal }).catch(() => undefined);
      if (ended.signal.aborted) return;
      if (await database.withClient((client) => giveWay(client, statement))) gaveWay = true;
    }
  };
  const [ran, watched] = await Promise.allSettled([run(), watch()]);
  if (ran.status === 'rejected') throw gaveWay ? new GaveWay('Others wait for the table', { cause: ran.reason }) : ran.reason;
  if (watched.status === 'rejected') throw watched.reason;
}

class GaveWay extends Error {
  /** lock_not_available */
  readonly code = '55P03';
}

export function nameOf({ table, column }: Pick<Field, 'table' | 'column'>): string {
  return formatColumnName({ ...table, column });
}

/** More is left than fits under a short lock: the transaction is taken back whole, and the sweep goes on outside of it. */
export class NotYet extends Error {}

type Closing = {
  /** Outside of the lock: as much as can be. */
  readonly prepare: () => Promise<void>;
  /** Under it: the rest, and what needs that nothing is left. Throws {@link NotYet}. */
  readonly attempt: () => Promise<void>;
};

/**
 * What needs that nothing is left, which others write all the while: prepared and attempted until it comes through.
 *
 * @throws `lock-timeout` where each time more was written than fits under a short lock
 */
export async function closing(
  ground: Pick<Ground, 'patience'>,
  field: Pick<Field, 'table' | 'column'>,
  { prepare, attempt }: Closing,
): Promise<void> {
  const { tries } = patienceOf(ground);
  for (let tried = 0; tried < tries; tried += 1) {
    await prepare();
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof NotYet)) throw error;
    }
  }
  throw new SafekeepError('lock-timeout', { target: nameOf(field), tries });
}
