import { newId, SafekeepError } from '@safekeep/core';
import pg from 'pg';
import type { Log } from '@safekeep/log';
import type { Database } from '@safekeep/postgres';
import type { BaselineHeads, Head } from '../files/baseline-heads.ts';
import type { AuditKeys } from '../keys/audit-keys.ts';
import { freshBytes } from '../keys/key-file.ts';
import type { Capture, CapturedColumn } from '../model.ts';
import {
  BASELINE_ENDED,
  BASELINE_TAKEN,
  baselineColumns,
  digestOf,
  endedMark,
  keyOfRow,
  marksWriter,
  markOfRow,
  partsOf,
  takenMark,
  valuesOf,
  type Taken,
} from '../rules/baseline.ts';
import {
  endOrder,
  insertOrder,
  orderAgain,
  readAllTenants,
  readOrdered,
  readOrders,
  takesAlone,
  writeMarks,
  type BaselineOrder,
} from '../store/baselines.ts';
import { openEvents } from '../store/event-values.ts';
import { readable, unlessUnreadable } from '../store/live-rows.ts';
import { readUnmoved, type InboxRow } from '../store/inbox.ts';
import {
  beginReading,
  captureOf,
  commit,
  readCaptures,
  readDatabaseId,
  readProgress,
  readTrees,
  rollback,
} from '../store/sequencer.ts';
import { readBaselines, sumOfRows, undone } from '../verification/baseline.ts';
import { isLost } from '../verification/check-heads.ts';
import { checkRows } from '../verification/check-rows.ts';
import type { Differences } from '../verification/differences.ts';
import { faultList } from '../verification/faults.ts';
import { NOTHING_PENDING, pendingOf, type Pending } from '../verification/pending.ts';
import { stoodAt, type Emptied, type Said } from '../verification/row-state.ts';
import { readColumnNumbers, walkRows } from '../verification/store/rows.ts';
import { recordEventWithin } from './record-event.ts';

export type BaselineGround = {
  readonly keys: Pick<AuditKeys, 'subjectKeys' | 'markOf'>;
  readonly heads: BaselineHeads;
  readonly log: Log;
  readonly signal?: AbortSignal;
};

/** Rows fetched at once. */
const BATCH = 5000;

/** Tries of a table, where an erasure or an apply was in the way, or what is on its way into the log cannot be gone back through. */
const TRIES = 3;

/**
 * Orders the baselines that captured tables lack, and takes those that were ordered, each in a transaction of its own without the sequencer's lock:
 * events go on. In its snapshot the log, what is on its way into it, and the rows meet: with what is on its way undone, the rows are as the log has
 * them. Where there is one already, the rows are first held against it and the log; if they do not hold, nothing is taken: it would make right
 * whatever was done unseen. One process at a time. Answers how many were taken; the log is told by events that are to be sequenced.
 */
export async function takeBaselines(ground: TakingGround): Promise<number> {
  const orders = await ground.database.withClient(async (client) => {
    await client.query('begin');
    await orderMissing(client, ground);
    const waiting = await readOrders(client);
    await client.query('commit');
    return waiting;
  });
  let count = 0;
  for (const order of orders) {
    let taken: number | 'again' = 'again';
    for (let tries = 1; taken === 'again' && tries <= TRIES; tries += 1) taken = await tryOrder(ground, order);
    if (taken !== 'again') count += taken;
  }
  return count;
}

/** A table that is captured has one, whoever took the order for it away: of tables with a column for the tenant, in each log. */
async function orderMissing(client: pg.ClientBase, ground: BaselineGround): Promise<void> {
  const ordered = new Map((await readOrdered(client)).map((row) => [`${row.tenant} ${row.table}`, row.isTaken]));
  const trees = await readTrees(client);
  const captures = await readCaptures(client);
  const known = new Map<string, ReadonlySet<string>>();
  for (const { tenant } of trees) {
    const own = [...captures.values()].filter((capture) => capture.tenantColumn !== null || capture.tenant === tenant);
    known.set(tenant, await settleHeads(client, ground, { tenant, tables: own.map(({ table }) => table) }));
  }
  for (const [name, { tenant, table, key, columns, tenantColumn }] of captures) {
    const isTaken = ordered.get(name);
    const order = newId<'audit-baseline-order'>();
    const typed = ({ name: column, type, form }: CapturedColumn) => ({ name: column, type, form });
    const shape = { key: key.map(typed), columns: baselineColumns(columns).map(typed) };
    const logs = trees.filter((tree) => tenantColumn !== null || tree.tenant === tenant);
    if (isTaken === undefined) await insertOrder(client, { tenant, table }, { shape, order });
    else if (isTaken && logs.some((tree) => known.get(tree.tenant)?.has(table) !== true))
      await orderAgain(client, [table], { order, isForLater: false });
  }
}

type TablesOf = { readonly tenant: string; readonly tables: readonly string[] };

/**
 * Answers which of these tables have a baseline. What the home knows for certain the log is not asked: this is looked at every few seconds. Of others,
 * as after a crash, the log tells, and the home knows it from now on.
 */
async function settleHeads(client: pg.ClientBase, ground: BaselineGround, { tenant, tables }: TablesOf): Promise<Set<string>> {
  const of = { tenant, database: await readDatabaseId(client) };
  const heads = await ground.heads.read(of);
  const isSettled = (table: string): boolean => heads.has(table) && heads.get(table)?.next === undefined;
  const open = tables.filter((table) => !isSettled(table));
  if (open.length === 0) return new Set(tables);
  const known = await readBaselines(client, { tenant, markOf: ground.keys.markOf, tables: open, withInbox: true });
  const settled = [...known].filter(([table, found]) => !found.isEnded && !isLost(heads.get(table), found));
  if (settled.length > 0)
    await ground.heads.write(
      of,
      new Map<string, Head>([...heads, ...settled.map(([table, { taken }]) => [table, { id: taken.id }] as const)]),
    );
  return new Set([...tables.filter(isSettled), ...known.keys()]);
}

export type TakingGround = BaselineGround & { readonly database: Database };

async function tryOrder(ground: TakingGround, order: BaselineOrder): Promise<number | 'again'> {
  return await ground.database.withClient(async (client) => {
    try {
      const { pending, capture } = await beginReading(client, async () => ({
        capture: (await readCaptures(client)).get(`${order.tenant} ${order.table}`),
        pending: await readUnmoved(client, await readProgress(client), [order.table]),
      }));
      const isNow = !pending.isFull && !pending.rows.some(isOpaque);
      const taken =
        isNow && capture !== undefined && (await takesAlone(client))
          ? await carryOut(client, ground, { order, capture, pending: pending.rows })
          : [];
      const database = await readDatabaseId(client);
      for (const each of taken) await writeHead(ground.heads, { ...each, database }, false);
      await commit(client);
      for (const each of taken) await writeHead(ground.heads, { ...each, database }, true);
      return isNow ? taken.length : 'again';
    } catch (error) {
      await rollback(client);
      if (error instanceof pg.DatabaseError && error.code === OUTRUN) return 'again';
      throw error;
    }
  });
}

type NewHead = { readonly tenant: string; readonly table: string; readonly id: string; readonly database: string };

async function writeHead(heads: BaselineHeads, { table, id, ...of }: NewHead, isCommitted: boolean): Promise<void> {
  const all = await heads.read(of);
  await heads.write(of, new Map([...all, [table, isCommitted ? { id } : { id: all.get(table)?.id ?? null, next: id }]]));
}

/** A change that cannot be undone in the rows as they stand: in a moment it is in the log. */
function isOpaque({ action, keysOnly, newRecord }: InboxRow): boolean {
  return keysOnly === true || newRecord !== null || !['insert', 'update', 'delete'].includes(action);
}

type Carried = { readonly order: BaselineOrder; readonly capture: Capture; readonly pending: readonly InboxRow[] };

type TakenNow = Omit<NewHead, 'database'>;

async function carryOut(
  client: pg.ClientBase,
  ground: BaselineGround,
  { order, capture, pending }: Carried,
): Promise<readonly TakenNow[]> {
  const all: TakenNow[] = [];
  let isTaken = true;
  for (const tenant of capture.tenantColumn === null ? [order.tenant] : await readAllTenants(client)) {
    const own = { ...capture, tenant };
    const asked = { order, capture: own, pending: pendingOf(own, pending) };
    const taken = await unlessFailing(client, ground, () => takeBaseline(client, asked, ground));
    if (taken === 'refused') isTaken = false;
    else if (taken !== 'stands') all.push(taken);
  }
  // The last write: an erasure that was at work meanwhile has written here, and then all of this is done again.
  await endOrder(client, order, isTaken);
  return all;
}

/**
 * Says of each table whose rows do not hold, or whose newest baseline is not in the log, that this is known, and orders a baseline of what stands there:
 * without this word of the home none is taken over one that does not hold. In a transaction of the sequencer in which the log has all that it
 * sees. From now on the home knows what this log has. Answers which tables they are.
 *
 * @throws `audit-rows-changed` where `rows` is the digest of other differences than there are.
 */
export async function endBaselines(
  client: pg.ClientBase,
  ground: BaselineGround,
  { tenant, reason, rows }: { readonly tenant: string; readonly reason: string; readonly rows?: string },
): Promise<readonly string[]> {
  const { markOf } = ground.keys;
  const captures = await readCaptures(client);
  const differences = await differencesOf(client, ground, tenant);
  if (rows !== undefined && rows !== differences?.digest)
    throw new SafekeepError('audit-rows-changed', { told: rows, now: differences?.digest ?? 'none' });
  const of = { tenant, database: await readDatabaseId(client) };
  const heads = await ground.heads.read(of);
  const known = await readBaselines(client, { tenant, markOf });
  const ended = new Map<string, string>();
  for (const [table, { id }] of heads) if (id !== null && isLost(heads.get(table), known.get(table))) ended.set(table, id);
  for (const [table, { taken, isEnded }] of known) {
    const capture = captureOf(captures, { tenant, table });
    if (
      isEnded ||
      capture === undefined ||
      (await holds(client, { capture: { ...capture, tenant }, pending: NOTHING_PENDING }, ground))
    )
      continue;
    ended.set(table, taken.id);
  }
  for (const [table, id] of ended)
    await recordEnd(client, markOf, { tenant, table, id, reason, ...(differences && { differences }) });
  await orderAgain(client, [...ended.keys()], { order: newId<'audit-baseline-order'>(), isForLater: false });
  const left = [...known].filter(([, { taken, isEnded }]) => !isEnded && ![...ended.values()].includes(taken.id));
  await ground.heads.write(of, new Map(left.map(([table, { taken }]) => [table, { id: taken.id }])));
  return [...ended.keys()];
}

/**
 * The same of all tables that this tenant has under capture, which is about to end: what is written then is in no log, so the next apply has
 * nothing to hold their rows against. Where capture does not end after all, they are taken again in an hour.
 */
export async function endAllBaselines(client: pg.ClientBase, { keys, heads }: BaselineGround, tenant: string): Promise<void> {
  const database = await readDatabaseId(client);
  const owned = [...(await readCaptures(client)).values()].filter((capture) => capture.tenant === tenant);
  const shared = owned.filter(({ tenantColumn }) => tenantColumn !== null).map(({ table }) => table);
  for (const each of await readAllTenants(client)) {
    const tables = each === tenant ? owned.map(({ table }) => table) : shared;
    for (const [table, { taken, isEnded }] of await readBaselines(client, { tenant: each, markOf: keys.markOf, tables }))
      if (!isEnded) await recordEnd(client, keys.markOf, { tenant: each, table, id: taken.id, reason: 'unapply' });
    const of = { tenant: each, database };
    await heads.write(of, new Map([...(await heads.read(of))].filter(([table]) => !tables.includes(table))));
  }
  await orderAgain(
    client,
    owned.map(({ table }) => table),
    { order: newId<'audit-baseline-order'>(), isForLater: true },
  );
}

type End = {
  readonly tenant: string;
  readonly table: string;
  readonly id: string;
  readonly reason: string;
  readonly differences?: Differences;
};

async function recordEnd(
  client: pg.ClientBase,
  markOf: AuditKeys['markOf'],
  { tenant, table, id, reason, differences }: End,
): Promise<void> {
  await recordEventWithin(client, tenant, {
    kind: 'compliance',
    action: BASELINE_ENDED,
    table,
    details: { baseline: id, reason, ...(differences && { differences }), mark: endedMark(markOf, { tenant, table }, id) },
  });
}

/** What the log has to say of all tables is not to wait for the baseline of one: a failure leaves none, is told, and is tried again as what was refused. */
async function unlessFailing<Result>(
  client: pg.ClientBase,
  { log, signal = NEVER }: BaselineGround,
  take: () => Promise<Result>,
): Promise<Result | 'refused'> {
  await client.query('savepoint baseline');
  try {
    const result = await take();
    await client.query('release savepoint baseline');
    return result;
  } catch (error) {
    // Whoever asked for an end gets it. Where another wrote what this transaction no longer sees, all of it is done again, with the baseline.
    if (signal.aborted || (error instanceof pg.DatabaseError && error.code === OUTRUN)) throw error;
    await client.query('rollback to savepoint baseline');
    log.error('audit-baseline-failed', { error });
    return 'refused';
  }
}

const OUTRUN = '40001';

type Asked = { readonly order: BaselineOrder; readonly capture: Capture; readonly pending: Pending };

async function takeBaseline(client: pg.ClientBase, asked: Asked, ground: BaselineGround): Promise<TakenNow | 'stands' | 'refused'> {
  const { order, capture, pending } = asked;
  const { tenant, table } = capture;
  const before = (await readBaselines(client, { tenant, markOf: ground.keys.markOf, tables: [table], withInbox: true })).get(table);
  if (before?.taken.order === order.ordered) return 'stands';
  const heads = await ground.heads.read({ tenant, database: await readDatabaseId(client) });
  if (isLost(heads.get(table), before)) {
    ground.log.warn('audit-baseline-refused', { reason: 'baseline-missing' });
    return 'refused';
  }
  if (before !== undefined && !before.isEnded && !(await holds(client, { capture, pending }, ground))) return 'refused';
  // A table that this login may not read, or that was changed under the capture, has none until it is applied again.
  const isTaken = await unlessUnreadable(client, () =>
    writeBaseline(client, { ...asked, before: before?.taken.id ?? null }, ground),
  );
  if (isTaken === undefined) ground.log.warn('audit-baseline-refused', { reason: 'unreadable' });
  return isTaken ?? 'refused';
}

/** Of all rows, as a verification tells them. */
async function differencesOf(
  client: pg.ClientBase,
  { keys, signal = NEVER }: BaselineGround,
  tenant: string,
): Promise<Differences | undefined> {
  const { differences } = await checkRows(client, {
    tenant,
    faults: faultList(),
    markOf: keys.markOf,
    valuesOf: (db, events) => openEvents(db, keys.subjectKeys, events),
    signal,
  });
  return differences;
}

/** Whether the rows of a table are as the log and the baseline before have them. */
async function holds(
  client: pg.ClientBase,
  { capture: { tenant, table }, pending }: Pick<Asked, 'capture' | 'pending'>,
  { keys, log, signal = NEVER }: BaselineGround,
): Promise<boolean> {
  const faults = faultList();
  await checkRows(client, {
    tenant,
    only: [table],
    pending: new Map([[table, pending]]),
    isRenewal: true,
    faults,
    markOf: keys.markOf,
    valuesOf: (db, events) => openEvents(db, keys.subjectKeys, events),
    signal,
  });
  if (faults.count() > 0) log.warn('audit-baseline-refused', { reason: 'rows-unexplained', count: faults.count() });
  return faults.count() === 0;
}

const NEVER = new AbortController().signal;

type Writing = Asked & { readonly before: string | null };

async function writeBaseline(
  client: pg.ClientBase,
  { order, capture: shared, before, pending }: Writing,
  ground: BaselineGround,
): Promise<TakenNow | 'stands' | undefined> {
  const capture = await readable(client, shared);
  if (capture === undefined) return undefined;
  const { tenant, table } = capture;
  const { markOf } = ground.keys;
  const [tree] = await readTrees(client, [tenant]);
  // As the triggers have them. What the order says of columns is there for the plan, and anybody's who can write it.
  const names = baselineColumns(capture.columns).map(({ name }) => name);
  const seen = { capture, owner: order.tenant, names, pending };
  const { rows, parts, sum } = capture.key.length === 0 ? await sumUp(client, seen, ground) : await gather(client, seen, ground);
  // Of a tenant without rows and without a log there is nothing to tell.
  if (rows === 0 && tree === undefined && tenant !== order.tenant) return 'stands';
  await writeMarks(client, capture, parts);
  const id = newId<'audit-baseline'>();
  const [numbers] = await readColumnNumbers(client, [capture]);
  const forms = new Map(capture.columns.map(({ name, form }) => [name, form]));
  const taken: Omit<Taken, 'mark'> = {
    id,
    order: order.ordered,
    era: tree?.era ?? 1,
    size: tree?.size ?? 0,
    rows,
    parts: parts.length,
    digest: digestOf(markOf, { ...capture, baseline: id }, parts),
    sum,
    columns: names.map((name) => ({ name, number: numbers?.get(name) ?? 0, form: forms.get(name) ?? 'large' })),
    before,
  };
  await recordEventWithin(client, tenant, {
    kind: 'compliance',
    action: BASELINE_TAKEN,
    table,
    details: { ...taken, mark: takenMark(markOf, capture, taken) },
  });
  ground.log.info('audit-baseline-taken', { rows });
  return { tenant, table, id };
}

type Seen = {
  readonly capture: Capture;
  readonly owner: string;
  readonly names: readonly string[];
  readonly pending: Pending;
};
type Gathered = { readonly rows: number; readonly parts: readonly Buffer[]; readonly sum: string | null };

/** Before all that is on its way into the log, and after all that is in it. */
const MEETING: Emptied = { era: 0, index: 0 };

async function gather(
  client: pg.ClientBase,
  { capture, owner, names, pending }: Seen,
  { keys, signal = NEVER }: BaselineGround,
): Promise<Gathered> {
  const columns = names.map((name) => [name, name] as const);
  const marks = marksWriter();
  const left = new Map(pending);
  let rows = 0;
  const add = (record: string, now: Said['values'] | undefined): void => {
    const stood = stoodAt(left.get(record) ?? [], now, MEETING);
    left.delete(record);
    if (stood.state === 'absent') return;
    const known = stood.state === 'there' && stood.values !== undefined ? valuesOf(stood.values, columns) : undefined;
    if (known === undefined)
      throw new Error('A captured table is read with all of its columns, and a change has all that it changed');
    rows += 1;
    marks.add(keyOfRow(keys.markOf, capture, record), markOfRow(keys.markOf, capture, { record, values: known }));
  };
  const walk = await walkRows(client, capture, { owner, through: undefined });
  for (let batch = await walk.next(BATCH); batch.length > 0; batch = await walk.next(BATCH)) {
    signal.throwIfAborted();
    for (const { record, values } of batch) add(record, values);
  }
  await walk.end();
  for (const record of left.keys()) add(record, undefined);
  return { rows, parts: partsOf(marks.end(), freshBytes), sum: null };
}

async function sumUp(
  client: pg.ClientBase,
  { capture, owner, names, pending }: Seen,
  { keys, signal = NEVER }: BaselineGround,
): Promise<Gathered> {
  const columns = names.map((name) => [name, name] as const);
  const now = await sumOfRows(client, { capture, owner, columns }, { markOf: keys.markOf, signal });
  const { sum, count } = undone(now, pending.get('') ?? [], { capture, columns, markOf: keys.markOf });
  return { rows: count, parts: [], sum: sum.toString(16) };
}
