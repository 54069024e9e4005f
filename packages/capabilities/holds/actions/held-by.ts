import type pg from 'pg';
import { codeOf, isSafekeepError, SafekeepError } from '@safekeep/core';
import { together, type Queryable } from '@safekeep/postgres';
import type { AskedRow, HoldId, HoldQuestion, Person, StandingHold } from '../model.ts';
import { concerns } from '../rules/hold.ts';
import { formatKey, formatPerson } from '../rules/key.ts';
import { beginAsking, holdsOn, matchCondition, matchKeys, matchPeople, standingIds } from '../store/ask.ts';
import { readHolds } from '../store/holds.ts';
import { findTable, predicateOf, type HoldTable } from '../store/tables.ts';

type Found = { readonly people: Set<Person>; readonly heldRows: Set<AskedRow>; readonly tables: Set<string> };
type Findings = Map<HoldId, Found>;

/**
 * The holds that stand in the way of destroying what is asked about, and what of it each of them holds; empty when it may be
 * destroyed. Everything that destroys asks this in the transaction that destroys, which must be one of the tenant. From then
 * on until that transaction ends no hold can be placed, so the answer stays true. Who only looks may get an answer that is over a moment later.
 *
 * A row is held by its key, by what it contains, and by each person it is about: those only the asker knows, from the map.
 *
 * @throws `hold-not-evaluable` when it cannot be told, which means held; a plain error where the caller is wrong; SQLSTATE 40001
 *   under REPEATABLE READ when a hold was placed since the transaction began: try again.
 */
export async function heldBy(client: pg.ClientBase, tenant: string, question: HoldQuestion): Promise<readonly StandingHold[]> {
  const findings: Findings = new Map();
  const { people, rows, tables, looksOnly = false } = question;
  // Sent one behind the other: the server looks for people behind the lock, and the way to it is gone once.
  await together(client, [
    () => beginAsking(client, tenant, { looksOnly }),
    () => askPeople(client, tenant, { findings, people: people ?? [], rows: rows ?? [] }),
  ]);
  if (people === undefined && rows === undefined && tables === undefined) {
    for (const id of await standingIds(client, tenant, 'any')) foundBy(findings, id);
  }
  for (const [table, asked] of Map.groupBy(rows ?? [], (row) => row.table)) {
    await evaluated(table, () => askRows(client, tenant, { findings, table, asked }));
  }
  for (const table of tables ?? []) await evaluated(table, () => askTable(client, tenant, { findings, table }));
  if (findings.size === 0) return [];
  const holds = await readHolds(client, tenant, { ids: [...findings.keys()] });
  return holds
    .filter((hold) => concerns(hold, question.period))
    .map((hold) => ({ ...hold, ...listed(foundBy(findings, hold.id)) }));
}

async function askPeople(
  db: Queryable,
  tenant: string,
  {
    findings,
    people,
    rows,
  }: { readonly findings: Findings; readonly people: readonly Person[]; readonly rows: readonly AskedRow[] },
): Promise<void> {
  const persons = new Map([...people, ...rows.flatMap(({ about }) => about)].map((person) => [formatPerson(person), person]));
  if (persons.size === 0) return;
  const distinct = [...persons.values()];
  const matches = await matchPeople(db, tenant, {
    types: distinct.map(({ type }) => type),
    keys: distinct.map(({ key }) => formatKey(key)),
  });
  if (matches.length === 0) return;
  const holdsOf = Map.groupBy(matches, ({ place }) => formatPerson(at(distinct, place)));
  for (const person of people)
    for (const { id } of holdsOf.get(formatPerson(person)) ?? []) foundBy(findings, id).people.add(person);
  for (const row of rows) {
    for (const person of row.about)
      for (const { id } of holdsOf.get(formatPerson(person)) ?? []) foundBy(findings, id).heldRows.add(row);
  }
}

async function askRows(
  db: Queryable,
  tenant: string,
  { findings, table, asked }: { readonly findings: Findings; readonly table: string; readonly asked: readonly AskedRow[] },
): Promise<void> {
  const found = await requireTable(db, table);
  const holds = await holdsOn(db, tenant, found);
  if (holds.length === 0) return;
  // What holds a person says whom it holds; a row under another key would not be known again.
  if (holds.some(({ kind, isSameKey }) => kind !== 'subject' && !isSameKey))
    throw notEvaluable(
      table,
      'one is on a part of it, a partition or a table that inherits from it, or on what it is a part of, and their primary keys are not alike',
    );
  if (asked.some(({ key }) => key.length !== found.key.length))
    throw new Error(`A key of ${table} does not have as many parts as its primary key`);
  const noted = await matchKeys(db, tenant, { holds: holds.map(({ id }) => id), keys: asked.map(({ key }) => formatKey(key)) });
  for (const { id, place } of noted) foundBy(findings, id).heldRows.add(at(asked, place));
  for (const { id, condition } of holds) {
    if (condition === null) continue;
    if (found.filtered) throw notEvaluable(table, 'row security hides rows of it from this login');
    const predicate = await predicateOf(db, found, condition);
    const places = await matchCondition(db, found, { found: predicate, keys: asked.map(({ key }) => key) });
    for (const place of places) foundBy(findings, id).heldRows.add(at(asked, place));
  }
}

/** Whose rows lie in it is not known here, so every held person may be among them. */
async function askTable(
  db: Queryable,
  tenant: string,
  { findings, table }: { readonly findings: Findings; readonly table: string },
): Promise<void> {
  const onTable = (await holdsOn(db, tenant, await requireTable(db, table))).map(({ id }) => id);
  for (const id of [...onTable, ...(await standingIds(db, tenant, 'subject'))]) foundBy(findings, id).tables.add(table);
}

async function requireTable(db: Queryable, table: string): Promise<HoldTable> {
  const found = await findTable(db, table);
  if (found === undefined) throw notEvaluable(table, 'the table is not there');
  return found;
}

/** PostgreSQL's own words may quote a value, so only their code is told. */
async function evaluated(table: string, ask: () => Promise<void>): Promise<void> {
  try {
    await ask();
  } catch (error) {
    const code = codeOf(error);
    // 42501 insufficient_privilege, 42703 undefined_column; class 22: a value that fits no more, or a condition that was tampered with.
    const isOurs = code === '42501' || code === '42703' || code === '42883' || code?.startsWith('22') === true;
    if (isSafekeepError(error) || !isOurs) throw error;
    throw notEvaluable(table, `SQLSTATE ${code}`, error);
  }
}

function notEvaluable(table: string, reason: string, cause?: unknown): SafekeepError {
  return new SafekeepError('hold-not-evaluable', { table, reason }, { cause });
}

function foundBy(findings: Findings, id: HoldId): Found {
  const known = findings.get(id);
  if (known !== undefined) return known;
  const made: Found = { people: new Set(), heldRows: new Set(), tables: new Set() };
  findings.set(id, made);
  return made;
}

function listed({ people, heldRows, tables }: Found): Pick<StandingHold, 'people' | 'heldRows' | 'tables'> {
  return { people: [...people], heldRows: [...heldRows], tables: [...tables] };
}

function at<Item>(items: readonly Item[], place: number): Item {
  const item = items[place];
  if (item === undefined) throw new Error('The database answered for a place that was not asked about');
  return item;
}
