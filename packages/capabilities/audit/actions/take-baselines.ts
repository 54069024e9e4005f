import { newId } from '@safekeep/core';
import pg from 'pg';
import type { Log } from '@safekeep/log';
import type { AuditKeys } from '../keys/audit-keys.ts';
import { freshBytes } from '../keys/key-file.ts';
import type { Capture } from '../model.ts';
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
import { endOrder, orderAgain, readAllTenants, readOrders, writeMarks, type BaselineOrder } from '../store/baselines.ts';
import { openEvents } from '../store/event-values.ts';
import { readable, unlessUnreadable } from '../store/live-rows.ts';
import { captureOf, readCaptures, readTrees } from '../store/sequencer.ts';
import { readBaselines, sumOfRows } from '../verification/baseline.ts';
import { checkRows } from '../verification/check-rows.ts';
import { faultList } from '../verification/faults.ts';
import { readColumnNumbers, walkRows } from '../verification/store/rows.ts';
import { recordEventWithin } from './record-event.ts';

export type BaselineGround = {
  readonly keys: Pick<AuditKeys, 'subjectKeys' | 'markOf'>;
  readonly log: Log;
  readonly signal?: AbortSignal;
};

/** Rows fetched at once. */
const BATCH = 5000;

/**
 * Takes the baselines that were ordered, as the tables stand in the snapshot of this transaction of the sequencer, in which everything that is
 * committed is in the log already: what stands there and what the log has told meet at one place. Where there is one already, the rows are first
 * held against it and the log; if they do not hold, nothing is taken: it would make right whatever was done unseen. Answers how many were taken.
 */
export async function takeBaselines(client: pg.ClientBase, ground: BaselineGround): Promise<number> {
  const orders = await readOrders(client);
  if (orders.length === 0) return 0;
  const captures = await readCaptures(client);
  let count = 0;
  for (const order of orders) {
    const capture = captures.get(`${order.tenant} ${order.table}`);
    if (capture === undefined) continue;
    const tenants = capture.tenantColumn === null ? [order.tenant] : await readAllTenants(client);
    let isTaken = true;
    for (const tenant of tenants) {
      const taken = await unlessFailing(client, ground, () =>
        takeBaseline(client, { order, capture: { ...capture, tenant } }, ground),
      );
      if (taken === 'refused') isTaken = false;
      else if (taken === 'taken') count += 1;
    }
    await endOrder(client, order, isTaken);
  }
  return count;
}

/**
 * Says of each table whose rows do not hold that this is known, and orders a baseline of what stands there: without this word of the home none
 * is taken over one that does not hold. In a transaction of the sequencer in which the log has all that it sees. Answers which tables they are.
 */
export async function endBaselines(
  client: pg.ClientBase,
  ground: BaselineGround,
  { tenant, reason }: { readonly tenant: string; readonly reason: string },
): Promise<readonly string[]> {
  const { markOf } = ground.keys;
  const captures = await readCaptures(client);
  const ended: string[] = [];
  for (const [table, { taken, isEnded }] of await readBaselines(client, { tenant, markOf })) {
    const capture = captureOf(captures, { tenant, table });
    if (isEnded || capture === undefined || (await holds(client, { ...capture, tenant }, ground))) continue;
    await recordEnd(client, markOf, { tenant, table, id: taken.id, reason });
    ended.push(table);
  }
  await orderAgain(client, ended, { order: newId<'audit-baseline-order'>(), isForLater: false });
  return ended;
}

/**
 * The same of all tables that this tenant has under capture, which is about to end: what is written then is in no log, so the next apply has
 * nothing to hold their rows against. Where capture does not end after all, they are taken again in an hour.
 */
export async function endAllBaselines(client: pg.ClientBase, { keys }: BaselineGround, tenant: string): Promise<void> {
  const owned = [...(await readCaptures(client)).values()].filter((capture) => capture.tenant === tenant);
  const shared = owned.filter(({ tenantColumn }) => tenantColumn !== null).map(({ table }) => table);
  for (const each of await readAllTenants(client)) {
    const tables = each === tenant ? owned.map(({ table }) => table) : shared;
    for (const [table, { taken, isEnded }] of await readBaselines(client, { tenant: each, markOf: keys.markOf, tables }))
      if (!isEnded) await recordEnd(client, keys.markOf, { tenant: each, table, id: taken.id, reason: 'unapply' });
  }
  await orderAgain(
    client,
    owned.map(({ table }) => table),
    { order: newId<'audit-baseline-order'>(), isForLater: true },
  );
}

type End = { readonly tenant: string; readonly table: string; readonly id: string; readonly reason: string };

async function recordEnd(client: pg.ClientBase, markOf: AuditKeys['markOf'], { tenant, table, id, reason }: End): Promise<void> {
  await recordEventWithin(client, tenant, {
    kind: 'compliance',
    action: BASELINE_ENDED,
    table,
    details: { baseline: id, reason, mark: endedMark(markOf, { tenant, table }, id) },
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

type Asked = { readonly order: BaselineOrder; readonly capture: Capture };

async function takeBaseline(client: pg.ClientBase, asked: Asked, ground: BaselineGround): Promise<'taken' | 'stands' | 'refused'> {
  const { order, capture } = asked;
  const { tenant, table } = capture;
  const before = (await readBaselines(client, { tenant, markOf: ground.keys.markOf, tables: [table] })).get(table);
  if (before?.taken.order === order.ordered) return 'stands';
  if (before !== undefined && !before.isEnded && !(await holds(client, capture, ground))) return 'refused';
  // A table that this login may not read, or that was changed under the capture, has none until it is applied again.
  const isTaken = await unlessUnreadable(client, () =>
    writeBaseline(client, { ...asked, before: before?.taken.id ?? null }, ground),
  );
  if (isTaken === undefined) ground.log.warn('audit-baseline-refused', { reason: 'unreadable' });
  return isTaken ?? 'refused';
}

/** Whether the rows of a table are as the log and the baseline before have them. */
async function holds(
  client: pg.ClientBase,
  { tenant, table }: Capture,
  { keys, log, signal = NEVER }: BaselineGround,
): Promise<boolean> {
  const faults = faultList();
  await checkRows(client, {
    tenant,
    only: [table],
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
  { order, capture: shared, before }: Writing,
  ground: BaselineGround,
): Promise<'taken' | 'stands' | undefined> {
  const capture = await readable(client, shared);
  if (capture === undefined) return undefined;
  const { tenant, table } = capture;
  const { markOf } = ground.keys;
  const [tree] = await readTrees(client, [tenant]);
  // As the triggers have them. What the order says of columns is there for the plan, and anybody's who can write it.
  const names = baselineColumns(capture.columns).map(({ name }) => name);
  const seen = { capture, owner: order.tenant, names };
  const { rows, parts, sum } = capture.key.length === 0 ? await sumUp(client, seen, ground) : await gather(client, seen, ground);
  // Of a tenant without rows and without a log there is nothing to tell.
  if (rows === 0 && tree === undefined && tenant !== order.tenant) return 'stands';
  await writeMarks(client, capture, parts);
  const id = newId<'audit-baseline'>();
  const numbers = await readColumnNumbers(client, capture);
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
    columns: names.map((name) => ({ name, number: numbers.get(name) ?? 0, form: forms.get(name) ?? 'large' })),
    before,
  };
  await recordEventWithin(client, tenant, {
    kind: 'compliance',
    action: BASELINE_TAKEN,
    table,
    details: { ...taken, mark: takenMark(markOf, capture, taken) },
  });
  ground.log.info('audit-baseline-taken', { rows });
  return 'taken';
}

type Seen = { readonly capture: Capture; readonly owner: string; readonly names: readonly string[] };
type Gathered = { readonly rows: number; readonly parts: readonly Buffer[]; readonly sum: string | null };

async function gather(
  client: pg.ClientBase,
  { capture, owner, names }: Seen,
  { keys, signal = NEVER }: BaselineGround,
): Promise<Gathered> {
  const columns = names.map((name) => [name, name] as const);
  const marks = marksWriter();
  let rows = 0;
  const walk = await walkRows(client, capture, { owner, through: undefined });
  for (let batch = await walk.next(BATCH); batch.length > 0; batch = await walk.next(BATCH)) {
    signal.throwIfAborted();
    rows += batch.length;
    for (const { record, values } of batch) {
      const known = valuesOf(values, columns);
      if (known === undefined) throw new Error('A captured table is read with all of its columns');
      marks.add(keyOfRow(keys.markOf, capture, record), markOfRow(keys.markOf, capture, { record, values: known }));
    }
  }
  await walk.end();
  return { rows, parts: partsOf(marks.end(), freshBytes), sum: null };
}

async function sumUp(
  client: pg.ClientBase,
  { capture, owner, names }: Seen,
  { keys, signal = NEVER }: BaselineGround,
): Promise<Gathered> {
  const columns = names.map((name) => [name, name] as const);
  const { sum, count } = await sumOfRows(client, { capture, owner, columns }, { markOf: keys.markOf, signal });
  return { rows: count, parts: [], sum: sum.toString(16) };
}
