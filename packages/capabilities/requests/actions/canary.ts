import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import type pg from 'pg';
import { codeOf } from '@safekeep/core';
import {
  bareType,
  columnOf,
  isMappable,
  isSafekeepError,
  newId,
  resolveEdge,
  tableName,
  type Subject,
  type TableFacts,
} from '@safekeep/core';
import type { CanaryText, RowKey } from '../model.ts';
import {
  anyPerson,
  copyRow,
  insertCanaryRun,
  nextNumber,
  readRow,
  tablesWith,
  tokenFor,
  type CopyColumn,
} from '../store/canary.ts';
import { exportRows } from '../store/export-rows.ts';
import { exportColumns } from '../rules/export-columns.ts';
import { inTransaction, prepareSession } from '../store/session.ts';
import { carryOut, refuserName } from './carry-out.ts';
import { decide } from './decide.ts';
import type { Ground } from './ground.ts';
import { policies, survey, type SurveyedTable } from './survey.ts';
import { writersNow } from './writers.ts';
import type { Rows } from '../store/act.ts';
import type { PersonRow } from '../store/rows.ts';
import { tenancyOf } from '../rules/graph.ts';
import { isUnique, MAP_KEEPS } from '../rules/masks.ts';

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
  const state = verdicts.some((each) => each.state === 'fail')
    ? 'fail'
    : verdicts.every((each) => each.state === 'pass')
      ? 'pass'
      : 'not-evaluable';
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
    return await inTransaction(
      ground.database,
      { tenant: ground.tenant },
      (client) => oneCanary(client, ground, subject),
      'rollback',
    );
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
  const template = await anyPerson(client, subject, tenancyOf(ground, subject));
  if (template === undefined)
    return { state: 'not-evaluable', seeded: 0, exported: 0, faults: [`${subject.name}: there is nobody to be like`] };
  const token = `canary${randomBytes(10).toString('hex')}`;
  const seeded = await seed(client, ground, { subject, template, token });
  if (seeded === undefined)
    return { state: 'not-evaluable', seeded: 0, exported: 0, faults: [`${subject.name}: the database takes no copy of a row`] };
  const person = { type: subject.name, key: seeded.key };
  const all = ground.schema.facts.tables.filter((table) => isMappable(table) && table.kind !== 'materialized-view').map(tableName);
  const planted = await tablesWith(client, all, token.slice(0, 14));
  const found = await survey(client, ground, { person, subject, options: { lock: true, limit: 10_000 } });
  let exported = 0;
  const shown = new Set<string>();
  for (const { table, policy } of found.tables) {
    const { columns } = exportColumns({ map: ground.map, schema: ground.schema, canOpen: false }, table, policy.facts);
    for await (const rows of exportRows(
      client,
      { map: ground.map, reach: found.reach, person },
      { table, columns, since: null, leftOut: new Map() },
      { from: null, to: null },
    )) {
      exported += rows.length;
      if (rows.some((row) => row.some((value) => value?.includes(token.slice(0, 14)) === true))) shown.add(table);
    }
  }
  const decision = await decide(client, ground, found, { mode: 'anonymise', ledger: { mark: () => '0'.repeat(64) } });
  const keptTables = new Set(decision.groups.filter(({ treatment }) => treatment.action === 'keep').map(({ rows }) => rows.table));
  await carryOut(client, ground, {
    found,
    decision,
    keys: { leaf: createSecretKey(randomBytes(32)), hash: createSecretKey(randomBytes(32)) },
    writers: (await writersNow(client, ground))?.hash ?? null,
  });
  const left = (await tablesWith(client, all, token.slice(0, 14))).filter((table) => !keptTables.has(table));
  const faults = [
    ...planted
      .filter((table) => !shown.has(table))
      .map((table) => `${subject.name}: the export does not show what stands in ${table}`),
    ...left.map((table) => `${subject.name}: erasure leaves something in ${table}`),
    ...decision.blocked.map(({ table, what }) => `${subject.name}: ${table ?? ''} ${what}`),
  ];
  return { state: faults.length === 0 ? 'pass' : 'fail', seeded: seeded.rows, exported, faults };
}

type Seeding = { readonly subject: Subject; readonly template: RowKey; readonly token: string };

/** Of a column that copies refer to: what stood there, and what stands in the copy. */
type Copies = Map<string, string>;

/** One row of each table in which the template has rows: first the person, then what can be tied to a copy, step by step. */
async function seed(
  client: pg.ClientBase,
  ground: Ground,
  { subject, template, token }: Seeding,
): Promise<{ readonly key: RowKey; readonly rows: number } | undefined> {
  const person = { type: subject.name, key: template };
  const like = await survey(client, ground, { person, subject, options: { lock: false, limit: 50 } });
  const copies: Copies = new Map();
  const pending = new Map(like.tables.map((table) => [table.table, table]));
  const own = pending.get(subject.table);
  const first = own?.rows.find((row) => row.reached.some(({ path }) => path === ''));
  pending.delete(subject.table);
  const made =
    own === undefined || first === undefined
      ? undefined
      : await copyOne(client, ground, { surveyed: own, row: first, token, copies, mustTie: false });
  if (made === undefined) return undefined;
  let rows = 1;
  for (let isNew = true; isNew;) {
    isNew = false;
    for (const [table, surveyed] of pending) {
      const [row] = surveyed.rows;
      if (row === undefined || (await copyOne(client, ground, { surveyed, row, token, copies, mustTie: true })) === undefined)
        continue;
      pending.delete(table);
      rows += 1;
      isNew = true;
    }
  }
  return { key: subject.key.map((column) => made[column] ?? ''), rows };
}

type Copying = {
  readonly surveyed: SurveyedTable;
  readonly row: PersonRow;
  readonly token: string;
  readonly copies: Copies;
  /** Only where a path of the map leads from it to a copy. */
  readonly mustTie: boolean;
};

async function copyOne(
  client: pg.ClientBase,
  ground: Ground,
  { surveyed, row, token, copies, mustTie }: Copying,
): Promise<Readonly<Record<string, string | null>> | undefined> {
  const { table, identity, policy } = surveyed;
  const { facts } = policy;
  const source: Rows = { table, facts, identity, keys: [row.key] };
  const old = await readRow(client, source);
  const copied = (to: string, target: string | undefined, column: string): string | undefined =>
    copies.get(`${to} ${target ?? ''} ${old[column] ?? ''}`);
  const ties = (ground.map.tables.get(table)?.of ?? []).flatMap((edge) => {
    const resolved = resolveEdge(ground.map, ground.schema, table, edge);
    const hop = 'kind' in resolved ? undefined : resolved.hops[0];
    return hop === undefined || hop.direction === 'reverse'
      ? []
      : [{ to: hop.to, columns: hop.columns, references: hop.references }];
  });
  const isTied = ties.some(({ to, columns, references }) =>
    columns.every((column, place) => copied(to, references[place], column) !== undefined),
  );
  if (mustTie && !isTied) return undefined;
  const links = [
    ...ties,
    ...(ground.schema.outgoing.get(table) ?? []).map(({ to, foreignKey }) => ({
      to,
      columns: foreignKey.columns,
      references: foreignKey.references.columns,
    })),
  ];
  const columns = (await copyColumns(client, { table, facts, token })).map((column): CopyColumn => {
    if (column.as !== 'kept') return column;
    for (const { to, columns: names, references } of links) {
      const text = names.includes(column.name) ? copied(to, references[names.indexOf(column.name)], column.name) : undefined;
      if (text !== undefined) return { name: column.name, as: 'value', text };
    }
    return column;
  });
  const made = await copyWithTokens(client, source, columns, tokensFor(ground, { table, facts, reached: row.reached, token }));
  for (const [name, value] of Object.entries(made ?? {}))
    if (value !== null) copies.set(`${table} ${name} ${old[name] ?? ''}`, value);
  return made;
}

async function copyColumns(
  client: pg.ClientBase,
  { table, facts, token }: { readonly table: string; readonly facts: TableFacts; readonly token: string },
): Promise<readonly CopyColumn[]> {
  const columns: CopyColumn[] = [];
  for (const { name, generated, identity } of facts.columns) {
    if (generated !== null) continue;
    const isReference = facts.foreignKeys.some((foreignKey) => foreignKey.columns.includes(name));
    const isKey = facts.primaryKey?.columns.includes(name) === true && !isReference;
    if (identity !== null) columns.push({ name, as: 'default' });
    else columns.push(isKey ? await newKey(client, table, facts, { name, token }) : { name, as: 'kept' });
  }
  return columns;
}

type Token = { readonly column: string; readonly texts: readonly string[]; readonly needed: boolean };

/** What can be written into the columns that are the person's in such a row; where a column is unique, something must. */
function tokensFor(
  ground: Ground,
  {
    table,
    facts,
    reached,
    token,
  }: { readonly table: string; readonly facts: TableFacts; readonly reached: PersonRow['reached']; readonly token: string },
): readonly Token[] {
  const { whole, own } = policies(ground, table);
  const isOwned = reached.some(({ meaning }) => meaning === 'owns');
  const theirs = new Set(
    (isOwned ? whole.choices : reached.flatMap(({ path }) => own.get(path) ?? [])).map(({ column }) => column),
  );
  const keeps = isOwned ? whole.keeps.filter(({ reason }) => reason === MAP_KEEPS).map(({ column }) => column) : [];
  return facts.columns.flatMap(({ name }) => {
    const needed = isUnique(facts, name);
    const text = tokenFor(facts, name, token);
    if (text === undefined || (!needed && !theirs.has(name) && !keeps.includes(name))) return [];
    const mail = tokenFor(facts, name, `${token.slice(0, 20)}@erased.invalid`);
    return [{ column: name, texts: mail?.endsWith('invalid') === true ? [text, mail] : [text], needed }];
  });
}

/** With as many tokens as the constraints let in: all of them, else one column after the other. */
async function copyWithTokens(
  client: pg.ClientBase,
  source: Rows,
  columns: readonly CopyColumn[],
  tokens: readonly Token[],
): Promise<Readonly<Record<string, string | null>> | undefined> {
  const chosen = new Map(tokens.map(({ column, texts }) => [column, texts[0] ?? '']));
  const withChosen = (): CopyColumn[] =>
    columns.map((column): CopyColumn => {
      const text = column.as === 'kept' ? chosen.get(column.name) : undefined;
      return text === undefined ? column : { name: column.name, as: 'value', text };
    });
  const all = await copyRow(client, source, withChosen(), 'keep');
  if (all !== undefined) return all;
  chosen.clear();
  for (const { column, texts } of tokens.toSorted((a, b) => Number(b.needed) - Number(a.needed))) {
    for (const text of texts) {
      chosen.set(column, text);
      if ((await copyRow(client, source, withChosen(), 'try')) !== undefined) break;
      chosen.delete(column);
    }
  }
  return await copyRow(client, source, withChosen(), 'keep');
}

async function newKey(
  client: pg.ClientBase,
  table: string,
  facts: TableFacts,
  { name, token }: { readonly name: string; readonly token: string },
): Promise<CopyColumn> {
  const column = columnOf(facts, name);
  const type = column === undefined ? '' : bareType(column);
  if (type === 'uuid') return { name, as: 'value', text: randomUUID() };
  if (['smallint', 'integer', 'bigint', 'numeric'].includes(type))
    return { name, as: 'value', text: await nextNumber(client, table, name) };
  const text = tokenFor(facts, name, token);
  return text === undefined ? { name, as: 'kept' } : { name, as: 'value', text };
}
