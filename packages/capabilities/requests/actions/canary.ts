import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import type pg from 'pg';
import { bareType, columnOf, isMappable, isSafekeepError, newId, tableName, type Subject, type TableFacts } from '@safekeep/core';
import { codeOf } from '@safekeep/postgres';
import type { CanaryText, RowKey } from '../model.ts';
import { inOrderOfReference } from '../rules/graph.ts';
import { anyPerson, copyRow, insertCanaryRun, nextNumber, readRow, tablesWith, tokenFor, type CopyColumn } from '../store/canary.ts';
import { exportRows } from '../store/export-rows.ts';
import { exportColumns } from '../rules/export-columns.ts';
import { inTransaction, prepareSession } from '../store/session.ts';
import { identityOf, tableOf } from '../store/traverse.ts';
import { carryOut, refuserName } from './carry-out.ts';
import { decide } from './decide.ts';
import type { Ground } from './ground.ts';
import { survey } from './survey.ts';

type Verdict = Omit<CanaryText, 'run' | 'at'>;

/**
 * Makes somebody up, exports them, erases them and looks for them in every column of the user's tables: whether the map and the
 * machinery would do right by a real person tonight. All in one transaction that is taken back, so nobody ever sees them. The
 * made-up person is a copy of some row of each table with texts that stand nowhere else. The result is kept.
 */
export async function runCanary(ground: Ground): Promise<CanaryText> {
  const { database, tenant, clock } = ground;
  const verdicts: Verdict[] = [];
  for (const subject of ground.map.subjects.values()) verdicts.push(await tried(ground, subject));
  const state = verdicts.some((each) => each.state === 'fail') ? 'fail' : verdicts.every((each) => each.state === 'pass') ? 'pass' : 'not-evaluable';
  const result: CanaryText = {
    run: newId<'canary-run'>(),
    at: clock.now().toISOString(),
    state: verdicts.length === 0 ? 'not-evaluable' : state,
    seeded: verdicts.reduce((sum, { seeded }) => sum + seeded, 0),
    exported: verdicts.reduce((sum, { exported }) => sum + exported, 0),
    faults: verdicts.flatMap(({ faults }) => faults),
  };
  await inTransaction(database, { tenant }, (client) =>
    insertCanaryRun(client, tenant, { id: result.run, at: clock.now(), state: result.state, result }),
  );
  return result;
}

async function tried(ground: Ground, subject: Subject): Promise<Verdict> {
  try {
    return await inTransaction(ground.database, { tenant: ground.tenant }, (client) => oneCanary(client, ground, subject), 'rollback');
  } catch (error) {
    const code = isSafekeepError(error) ? error.code : codeOf(error);
    if (code === undefined && refuserName(error) === undefined) throw error;
    // A right that is missing, a map that does not fit: the control could not run, which is no pass.
    const reason = code ?? `refused at ${refuserName(error) ?? ''}`;
    return { state: 'not-evaluable', seeded: 0, exported: 0, faults: [`${subject.name}: ${reason}`] };
  }
}

async function oneCanary(client: pg.ClientBase, ground: Ground, subject: Subject): Promise<Verdict> {
  await prepareSession(client, ground.tenant);
  const template = await anyPerson(client, subject);
  if (template === undefined) return { state: 'not-evaluable', seeded: 0, exported: 0, faults: [`${subject.name}: there is nobody to be like`] };
  const token = `canary${randomBytes(10).toString('hex')}`;
  const seeded = await seed(client, ground, { subject, template, token });
  if (seeded === undefined) return { state: 'not-evaluable', seeded: 0, exported: 0, faults: [`${subject.name}: the database takes no copy of a row`] };
  const person = { type: subject.name, key: seeded.key };
  const all = ground.schema.facts.tables.filter((table) => isMappable(table) && table.kind !== 'materialized-view').map(tableName);
  const planted = await tablesWith(client, all, token.slice(0, 14));
  const found = await survey(client, ground, { person, subject, options: { lock: true, limit: 10_000 } });
  let exported = 0;
  const shown = new Set<string>();
  for (const { table, policy } of found.tables) {
    const { columns } = exportColumns({ map: ground.map, schema: ground.schema, canOpen: false }, table, policy.facts);
    for await (const rows of exportRows(client, { map: ground.map, reach: found.reach, person }, { table, columns, since: null }, { from: null, to: null })) {
      exported += rows.length;
      if (rows.some((row) => row.some((value) => value?.includes(token.slice(0, 14)) === true))) shown.add(table);
    }
  }
  const decision = await decide(client, ground, found, { mode: 'anonymise', ledger: { mark: () => '0'.repeat(64) } });
  const keptTables = new Set(decision.groups.filter(({ treatment }) => treatment.action === 'keep').map(({ rows }) => rows.table));
  await carryOut(client, ground, { found, decision, keys: { leaf: createSecretKey(randomBytes(32)), hash: createSecretKey(randomBytes(32)) } });
  const left = (await tablesWith(client, all, token.slice(0, 14))).filter((table) => !keptTables.has(table));
  const faults = [
    ...planted.filter((table) => !shown.has(table)).map((table) => `${subject.name}: the export does not show what stands in ${table}`),
    ...left.map((table) => `${subject.name}: erasure leaves something in ${table}`),
    ...decision.blocked.map(({ table, what }) => `${subject.name}: ${table ?? ''} ${what}`),
  ];
  return { state: faults.length === 0 ? 'pass' : 'fail', seeded: seeded.rows, exported, faults };
}

type Seeding = { readonly subject: Subject; readonly template: RowKey; readonly token: string };

/** One row of each table in which the template has rows, those referred to first, so that copies can refer to copies. */
async function seed(client: pg.ClientBase, ground: Ground, { subject, template, token }: Seeding): Promise<{ readonly key: RowKey; readonly rows: number } | undefined> {
  const like = await survey(client, ground, { person: { type: subject.name, key: template }, subject, options: { lock: false, limit: 50 } });
  const order = inOrderOfReference(like.tables.map(({ table }) => table), ground.schema).flat().toReversed();
  /** Of a column that copies refer to: what stood there, and what stands in the copy. */
  const copies = new Map<string, string>();
  let key: RowKey | undefined;
  let rows = 0;
  for (const table of [subject.table, ...order.filter((each) => each !== subject.table)]) {
    const surveyed = like.tables.find((each) => each.table === table);
    const facts = tableOf(ground.schema, table);
    const own = table === subject.table ? surveyed?.rows.find((row) => row.reached.some(({ path }) => path === '')) : surveyed?.rows[0];
    if (own === undefined) continue;
    const source = { table, facts, identity: identityOf(facts), keys: [own.key] };
    const columns = await copyColumns(client, ground, { table, facts, token });
    const old = await readRow(client, source);
    const linked = columns.map((column) => referring(column, { facts, table, ground, old, copies }));
    const made = (await copyRow(client, source, linked)) ?? (await copyRow(client, source, linked.map((column) => (column.as === 'value' && column.text === token ? { name: column.name, as: 'kept' as const } : column))));
    if (made === undefined) {
      if (table === subject.table) return undefined;
      continue;
    }
    rows += 1;
    for (const [name, value] of Object.entries(made)) if (value !== null) copies.set(`${table} ${name} ${old[name] ?? ''}`, value);
    if (table === subject.table) key = subject.key.map((column) => made[column] ?? '');
  }
  return key === undefined ? undefined : { key, rows };
}

async function copyColumns(
  client: pg.ClientBase,
  { map }: Ground,
  { table, facts, token }: { readonly table: string; readonly facts: TableFacts; readonly token: string },
): Promise<readonly CopyColumn[]> {
  const columns: CopyColumn[] = [];
  const mapped = map.tables.get(table);
  for (const { name, generated, identity } of facts.columns) {
    if (generated !== null) continue;
    const isKey = facts.primaryKey?.columns.includes(name) === true && !facts.foreignKeys.some((foreignKey) => foreignKey.columns.includes(name));
    if (identity !== null) columns.push({ name, as: 'default' });
    else if (isKey) columns.push(await newKey(client, table, facts, { name, token }));
    else if (facts.foreignKeys.some((foreignKey) => foreignKey.columns.includes(name))) columns.push({ name, as: 'kept' });
    else {
      const isPersonal = (mapped?.columns.get(name)?.categories.length ?? 0) > 0 && mapped?.columns.get(name)?.categories[0] !== 'none';
      const text = isPersonal ? tokenFor(facts, name, token) : undefined;
      columns.push(text === undefined ? { name, as: 'kept' } : { name, as: 'value', text });
    }
  }
  return columns;
}

async function newKey(client: pg.ClientBase, table: string, facts: TableFacts, { name, token }: { readonly name: string; readonly token: string }): Promise<CopyColumn> {
  const column = columnOf(facts, name);
  const type = column === undefined ? '' : bareType(column);
  if (type === 'uuid') return { name, as: 'value', text: randomUUID() };
  if (['smallint', 'integer', 'bigint', 'numeric'].includes(type)) return { name, as: 'value', text: await nextNumber(client, table, name) };
  const text = tokenFor(facts, name, token);
  return text === undefined ? { name, as: 'kept' } : { name, as: 'value', text };
}

type Linking = {
  readonly facts: TableFacts;
  readonly table: string;
  readonly ground: Ground;
  readonly old: Readonly<Record<string, string | null>>;
  readonly copies: ReadonlyMap<string, string>;
};

/** A column that referred to a row of which there is a copy refers to the copy. */
function referring(column: CopyColumn, { table, ground, old, copies }: Linking): CopyColumn {
  if (column.as !== 'kept') return column;
  for (const { to, foreignKey } of ground.schema.outgoing.get(table) ?? []) {
    const place = foreignKey.columns.indexOf(column.name);
    const target = foreignKey.references.columns[place];
    const copied = target === undefined ? undefined : copies.get(`${to} ${target} ${old[column.name] ?? ''}`);
    if (copied !== undefined) return { name: column.name, as: 'value', text: copied };
  }
  return column;
}
