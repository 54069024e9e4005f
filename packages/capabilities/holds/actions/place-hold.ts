import { dayOf, parseDay, codeOf, newId, SafekeepError, type Clock, type Subject } from '@safekeep/core';
import { type Database, inTenant } from '@safekeep/postgres';
import type pg from 'pg';
import type { Condition, Hold, HoldId, Period, Target } from '../model.ts';
import { formatKey } from '../rules/key.ts';
import { formatTarget } from '../rules/target.ts';
import { insertHold, insertHoldRow, insertMatchingRows, lockForPlacing, readHolds, type NewHold } from '../store/holds.ts';
import { columnOf, findRow, findTable, predicateOf, type HoldTable } from '../store/tables.ts';
import { writeValuesInOneForm } from '../store/transaction.ts';

export type HoldOrder = {
  readonly target: Target;
  readonly reason: string;
  /** The person or role that answers for it. */
  readonly owner: string;
  /** `YYYY-MM-DD`; lies in the future. */
  readonly reviewBy: string;
  readonly concerns?: Period;
  /** Who places it. */
  readonly by: string;
};

export type HoldGround = {
  readonly tenant: string;
  readonly clock: Clock;
  /** Of the data map: who `patient:42` is. */
  readonly subjects: ReadonlyMap<string, Subject>;
  /** How long to wait for what is being destroyed at this moment. */
  readonly patienceMs?: number;
};

const PATIENCE_MS = 30_000;

/** What was found of a target: the hold's parts that come from the database. */
type Found = Pick<NewHold, 'target' | 'person' | 'condition' | 'rows'> & { readonly table: HoldTable };

/**
 * Places a hold. Waits for whatever is being destroyed at this moment, and then looks whether what is to be held is still
 * there: a hold on nothing is refused.
 *
 * @throws `hold-target-invalid`, `hold-target-missing`, `hold-table-unfit`, `hold-condition-unfit`, `hold-dates-unfit`, `hold-busy`.
 */
export async function placeHold(database: Database, ground: HoldGround, order: HoldOrder): Promise<Hold> {
  const { tenant, clock, patienceMs = PATIENCE_MS } = ground;
  const { reason, owner, reviewBy, by, concerns = { from: null, until: null } } = order;
  requireDates(reviewBy, concerns, dayOf(clock.now()));
  const id = newId<'hold'>();
  return await inTenant(database, tenant, async (client) => {
    await writeValuesInOneForm(client);
    await lock(client, tenant, patienceMs);
    const { table, ...found } = await find(client, ground, { id, target: order.target });
    const hold = { id, kind: order.target.kind, ...found, reason, owner, reviewBy, concerns, placedBy: by, placedAt: clock.now() };
    await insertHold(client, tenant, { hold, table });
    const [placed] = await readHolds(client, tenant, { ids: [id] });
    if (placed === undefined) throw new Error('The hold that was just placed is not there');
    return placed;
  });
}

function requireDates(reviewBy: string, { from, until }: Period, today: string): void {
  if (parseDay(reviewBy) === undefined)
    throw new SafekeepError('hold-dates-unfit', { reason: 'the day of review is no day (YYYY-MM-DD)' });
  if (reviewBy <= today) throw new SafekeepError('hold-dates-unfit', { reason: `the day of review must lie after ${today}` });
  if (from !== null && until !== null && from >= until)
    throw new SafekeepError('hold-dates-unfit', { reason: 'the time that the matter is about ends before it begins' });
}

async function lock(client: pg.ClientBase, tenant: string, patienceMs: number): Promise<void> {
  try {
    await lockForPlacing(client, tenant, patienceMs);
  } catch (cause) {
    // lock_not_available
    if (codeOf(cause) !== '55P03') throw cause;
    throw new SafekeepError('hold-busy', { seconds: Math.round(patienceMs / 1000) }, { cause });
  }
}

async function find(
  client: pg.ClientBase,
  ground: HoldGround,
  { id, target }: { readonly id: HoldId; readonly target: Target },
): Promise<Found> {
  if (target.kind === 'query')
    return await findMatching(client, ground.tenant, {
      id,
      table: await carrier(client, target.table),
      condition: target.condition,
    });
  const subject = target.kind === 'subject' ? ground.subjects.get(target.person.type) : undefined;
  if (target.kind === 'subject' && subject === undefined)
    throw new SafekeepError('hold-target-invalid', { reason: `the map knows no subject ${target.person.type}` });
  const table = await carrier(client, target.kind === 'row' ? target.table : (subject?.table ?? ''));
  const columns = subject === undefined ? table.key : subject.key.map((name) => columnOf(table.columns, name));
  const row = await findRow(client, table, { columns, key: target.kind === 'row' ? target.key : target.person.key });
  if (row === undefined)
    throw new SafekeepError('hold-target-missing', { what: target.kind === 'row' ? 'row' : target.person.type, table: table.text });
  if (row.primaryKey !== null) await insertHoldRow(client, ground.tenant, { hold: id, key: formatKey(row.primaryKey) });
  const person = target.kind === 'row' ? null : { type: target.person.type, key: formatKey(row.key) };
  const canonical: Target =
    target.kind === 'row' ? { ...target, key: row.key } : { ...target, person: { ...target.person, key: row.key } };
  return { target: formatTarget(canonical), person, condition: null, rows: row.primaryKey === null ? 0 : 1, table };
}

async function findMatching(
  client: pg.ClientBase,
  tenant: string,
  { id, table, condition }: { readonly id: HoldId; readonly table: HoldTable; readonly condition: Condition },
): Promise<Found> {
  try {
    const found = await predicateOf(client, table, condition);
    const rows = await insertMatchingRows(client, tenant, { hold: id, table, found });
    return { target: table.text, person: null, condition, rows, table };
  } catch (cause) {
    const code = codeOf(cause) ?? '';
    // Class 22, data exception; 42703 undefined_column; 42883 undefined_function: the type has no such comparison.
    if (!code.startsWith('22') && code !== '42703' && code !== '42883') throw cause;
    const reason =
      code === '42703' ? 'it has no such column, or one of a type that cannot be compared' : 'a value does not fit its column';
    throw new SafekeepError('hold-condition-unfit', { table: table.text, reason }, { cause });
  }
}

/** The table of a target, if its rows can be held. */
async function carrier(client: pg.ClientBase, name: string): Promise<HoldTable> {
  const table = await findTable(client, name);
  if (table === undefined) throw new SafekeepError('hold-target-invalid', { reason: `there is no table ${name}` });
  const unfit = (reason: string): SafekeepError => new SafekeepError('hold-table-unfit', { table: table.text, reason });
  if (table.kind !== 'table') throw unfit('it is no table of this database');
  if (table.filtered) throw unfit('row security hides rows of it from this login');
  if (table.key.length === 0) throw unfit('it has no primary key, so its rows cannot be told apart');
  return table;
}
