import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type pg from 'pg';
import { codeOf, formatTableName, sqlStateOf } from '@safekeep/core';
import { findTable, together } from '@safekeep/postgres';
import type { Ledger } from '../../ledger/index.ts';
import type { ErasureId } from '../model.ts';
import { inOrderOfReference } from '../rules/graph.ts';
import { HASH_TEXT, MerkleTree } from '../rules/merkle.ts';
import { isOwnTrigger } from '../rules/own-trigger.ts';
import {
  countObjects,
  countRows,
  countUnlike,
  deleteRows,
  digestOf,
  objectsOf,
  updateRows,
  type Rows,
  type Written,
} from '../store/act.ts';
import { ownSavepoints, ownTransaction } from '../store/own-writes.ts';
import { countAmong, rowsOf } from '../store/rows.ts';
import { writesSoFar } from '../store/guards.ts';
import { setConstraintsNow } from '../store/session.ts';
import { arrays, followPaths } from '../store/traverse.ts';
import { isOneOf } from '../store/sql.ts';
import type { Decision, Group } from './decide.ts';
import type { Ground } from './ground.ts';
import { policies, type Survey } from './survey.ts';
import { harmlessTriggers, undeclaredOf, writersNow } from './writers.ts';

export type TableCounts = { before: number; deleted: number; masked: number; detached: number; kept: number };

export type CarriedOut = {
  readonly counts: ReadonlyMap<string, TableCounts>;
  readonly tree: { readonly count: number; readonly root: string };
  /** Ids under which this transaction has written, as `OwnWrites` has them. */
  readonly by: readonly string[];
};

/** The database refused a statement; the transaction is lost. */
export class Refused extends Error {
  readonly table: string;
  readonly sqlState: string;
  /** Constraint or function that refused, where the server names one. */
  readonly by: string | null;

  constructor(table: string, cause: unknown) {
    super('The database refused a statement', { cause });
    this.table = table;
    this.sqlState = codeOf(cause) ?? 'unknown';
    this.by = refuserOf(cause);
  }
}

/** Never the server's own words: they may quote a value. */
function refuserOf(cause: unknown): string | null {
  if (cause === null || typeof cause !== 'object') return null;
  if ('constraint' in cause && typeof cause.constraint === 'string') return cause.constraint;
  const where = 'where' in cause && typeof cause.where === 'string' ? cause.where : '';
  return /PL\/pgSQL function ([^\s(]+)\(/.exec(where)?.[1] ?? null;
}

/** The table at which an erasure broke off, where it was the database or a trigger that refused. */
export function refuserName(error: unknown): string | undefined {
  return error instanceof Refused || error instanceof Changed || error instanceof NotKept || error instanceof WroteElsewhere
    ? error.table
    : undefined;
}

/** Keys that follow from the ledger's, which never is in the database. */
export function keysOf(ledger: Pick<Ledger, 'mark'>, tenant: string): { readonly plan: KeyObject; readonly hash: KeyObject } {
  // The same value has the same hash in every erasure of a tenant: what was counted apart stays countable.
  return { plan: derivedKey(ledger, tenant, ['erasure_plan', 'all']), hash: derivedKey(ledger, tenant, ['erasure_hash', 'all']) };
}

/** Keys of one erasure. */
export function erasureKeysOf(
  ledger: Pick<Ledger, 'mark'>,
  tenant: string,
  erasure: ErasureId,
): { readonly leaf: KeyObject; readonly hash: KeyObject } {
  return { leaf: derivedKey(ledger, tenant, ['erasure_leaf', erasure]), hash: keysOf(ledger, tenant).hash };
}

function derivedKey(ledger: Pick<Ledger, 'mark'>, tenant: string, [use, of]: readonly [string, string]): KeyObject {
  return createSecretKey(Buffer.from(ledger.mark({ tenant, table: `safekeep.${use}`, subjectKeyId: of, primaryKey: [] }), 'hex'));
}

/**
 * Masks, detaches and deletes what was decided, in sets and in the caller's transaction, and looks that it is so.
 * Leaf hashes of all rows that change are taken first.
 */
export async function carryOut(
  client: pg.ClientBase,
  ground: Ground,
  {
    found,
    decision,
    keys,
    onTable,
    without = new Set(),
    writers,
  }: {
    readonly found: Survey;
    readonly decision: Decision;
    readonly keys: { readonly leaf: KeyObject; readonly hash: KeyObject };
    readonly onTable?: (table: string) => void;
    /** Tables that are worked off in other transactions. */
    readonly without?: ReadonlySet<string>;
    /** Hash of what fires at the tables of the map, as it was approved. */
    readonly writers: string | null;
  },
): Promise<CarriedOut> {
  // Only a trigger, a rule or a foreign key can write where nothing was decided.
  const canFire = decision.setNull.length > 0 || found.tables.some(({ table }) => canBeUndone(ground, table));
  const kept = decision.groups.filter(({ treatment }) => canFire && treatment.keptBy !== undefined);
  const digests = await together(
    client,
    kept.map((group) => () => digestOf(client, group.rows, columnsOf(group.writes))),
  );
  const objects = await objectsIn(client, ground, decision);
  const before = canFire ? await countedWrites(client) : undefined;
  const counts = new Map<string, TableCounts>();
  for (const { table, rows } of found.tables)
    counts.set(table, { before: rows.length, deleted: 0, masked: 0, detached: 0, kept: 0 });
  const tree = new MerkleTree();
  const [written] = await Promise.all([
    updateAll(client, ground, decision, { counts, hashKey: keys.hash, onTable }),
    // While the server writes: the texts are those that were read before.
    setImmediate().then(() => addLeaves(found, decision, { tree, key: keys.leaf })),
  ]);
  await deleteAll(client, ground, decision, { counts, onTable });
  const isCut = new Set(found.tables.filter((table) => table.isCut).map(({ table }) => table));
  const looked = [...found.reach.graph.edgesOf.keys()].filter((table) => !isCut.has(table) && !without.has(table));
  const [, by] = await together(client, [
    () => refusing('', () => setConstraintsNow(client)),
    () => ownIds(client, canFire ? written : []),
    ...written
      .filter(({ rows }) => canBeUndone(ground, rows.table))
      .map((each) => async () => {
        if ((await countUnlike(client, each)) > 0) throw new NotKept(each.rows.table);
      }),
    ...looked.map((table) => () => lookForNew(client, found, table, { written, counts })),
    ...kept.map((group, place) => async () => {
      const now = written.find(({ of }) => of === group)?.rows ?? group.rows;
      if ((await digestOf(client, now, columnsOf(group.writes))) !== digests[place]) throw new KeptChanged(group.rows.table);
    }),
    ...objects.map(([table, ids]) => async () => {
      if ((await countObjects(client, ids)) > 0) throw new ObjectsLeft(table);
    }),
    ...(before === undefined ? [] : [() => refuseWritesElsewhere(client, ground, { found, decision, before, writers, without })]),
  ]);
  if (decision.isKept) await refuseLost(client, found, written);
  for (const { table, rows } of decision.setNull) addDetached(counts, table, rows);
  return { counts, tree: { count: tree.size, root: tree.root().toString('base64') }, by };
}

/** Of the rows that a trigger may have written once more, within a savepoint. */
async function ownIds(client: pg.ClientBase, written: readonly Staying[]): Promise<readonly string[]> {
  const rows = written.filter(({ writes, rows: { keys } }) => writes.length > 0 && keys.length > 0).map((each) => each.rows);
  const ids = await together(client, [
    async () => [await ownTransaction(client)],
    ...rows.map((some) => () => ownSavepoints(client, some)),
  ]);
  return [...new Set(ids.flat())];
}

/** By table the large objects that rows name in what is erased of them. */
async function objectsIn(
  client: pg.ClientBase,
  ground: Ground,
  { groups }: Decision,
): Promise<readonly (readonly [string, readonly string[]])[]> {
  const found: (readonly [string, readonly string[]])[] = [];
  for (const { rows, treatment, writes } of groups) {
    const { objects } = policies(ground, rows.table);
    const names = treatment.action === 'delete' ? objects : objects.filter((name) => columnsOf(writes).includes(name));
    const ids = await objectsOf(client, rows, names);
    if (ids.length > 0) found.push([rows.table, ids]);
  }
  return found;
}

function columnsOf(writes: Group['writes']): readonly string[] {
  return writes.map(({ column }) => column);
}

/** Rows of others, and what a foreign key did to them. */
function addDetached(counts: Map<string, TableCounts>, table: string, rows: number): void {
  const count = counts.get(table) ?? { before: 0, deleted: 0, masked: 0, detached: 0, kept: 0 };
  counts.set(table, { ...count, before: count.before + rows, detached: count.detached + rows });
}

/**
 * Follows the paths once more, over what is there now: what a duty or a hold keeps has to be found by them still, or it would be erased
 * never.
 */
async function refuseLost(client: pg.ClientBase, found: Survey, written: readonly Staying[]): Promise<void> {
  const kept = written.filter(({ of, rows }) => of.treatment.keptBy !== undefined && rows.keys.length > 0);
  const { graph, schema, tenant } = found.reach;
  const reach = await followPaths(client, { graph, schema, tenant, key: found.person.key }, { lock: false });
  await together(
    client,
    kept.map(({ rows }) => async () => {
      const count = reach === undefined ? 0 : await countAmong(client, reach, { person: found.person, rows });
      if (count !== rows.keys.length) throw new KeptLost(rows.table);
    }),
  );
}

type Staying = Written & { readonly of: Group };

/** Masks and detaches, a statement for each group; what was written, and groups that stay as they are with nothing written. */
async function updateAll(
  client: pg.ClientBase,
  ground: Ground,
  { groups }: Decision,
  {
    counts,
    hashKey,
    onTable,
  }: {
    readonly counts: Map<string, TableCounts>;
    readonly hashKey: KeyObject;
    readonly onTable: ((table: string) => void) | undefined;
  },
): Promise<readonly Staying[]> {
  const staying = groups.filter(({ treatment }) => treatment.action !== 'delete');
  for (const { rows, treatment } of staying) {
    onTable?.(rows.table);
    const count = countsOf(counts, rows.table);
    count[treatment.action === 'mask' ? 'masked' : treatment.action === 'detach' ? 'detached' : 'kept'] += rows.keys.length;
  }
  return await together(
    client,
    staying.map((of) => async (): Promise<Staying> => {
      const { rows, writes } = of;
      if (writes.length === 0) return { rows, writes, perRow: [], of };
      const done = await refusing(rows.table, () => updateRows(client, rows, { writes, hashKey }));
      // A trigger may leave out what is as it was (suppress_redundant_updates_trigger); that it is so is looked at afterwards.
      const isLookedAt = rows.identity.kind === 'key' && canBeUndone(ground, rows.table);
      if (done.count !== rows.keys.length && !isLookedAt) throw new Changed(rows.table);
      return { ...done.written, of };
    }),
  );
}

/** Rows came or went while the transaction ran. */
export class Changed extends Error {
  readonly table: string;

  constructor(table: string) {
    super('Rows changed under an erasure');
    this.table = table;
  }
}

/** Rows of the person came while the transaction ran, or because it did. */
export class Appeared extends Changed {}

/** What fires at the tables of the map is not what was approved. */
export class WritersChanged extends Changed {}

/** Something was written to a table that the map does not know. */
export class WroteElsewhere extends Error {
  readonly table: string;
  /** What fires too and of which the map does not say where it writes. */
  readonly undeclared: readonly string[];

  constructor(table: string, undeclared: readonly string[] = []) {
    super('An erasure wrote to a table outside of the map');
    this.table = table;
    this.undeclared = undeclared;
  }
}

/** Something, a trigger most likely, wrote another value than the mask. */
export class NotKept extends Error {
  readonly table: string;

  constructor(table: string) {
    super('A mask did not stay');
    this.table = table;
  }
}

/** What a duty or a hold keeps was changed while other rows were erased. */
export class KeptChanged extends NotKept {}

/** What a duty or a hold keeps would not be found any more when that ends. */
export class KeptLost extends NotKept {}

/** What a column names stays although the column is empty. */
export class ObjectsLeft extends NotKept {}

/** The server does not count what is written: that nothing was copied cannot be seen. */
export class Uncounted extends Error {}

function changes({ treatment, writes }: Group): boolean {
  return treatment.action === 'delete' || writes.length > 0;
}

/** Of every row that changes; a rehearsal has not asked for the texts, and needs no proof. */
function addLeaves(found: Survey, decision: Decision, { tree, key }: { readonly tree: MerkleTree; readonly key: KeyObject }): void {
  for (const { table, rows } of found.tables) {
    const changing = new Set(
      decision.groups.filter((group) => group.rows.table === table && changes(group)).flatMap((group) => group.rows.keys),
    );
    for (const { key: rowKey, text } of rows) {
      if (text === null || !changing.has(rowKey)) continue;
      tree.add(
        createHmac('sha256', key)
          .update(`${table} ${JSON.stringify(rowKey)} ${text}`)
          .digest(HASH_TEXT),
      );
    }
  }
}

async function deleteAll(
  client: pg.ClientBase,
  ground: Ground,
  decision: Decision,
  { counts, onTable }: { readonly counts: Map<string, TableCounts>; readonly onTable: ((table: string) => void) | undefined },
): Promise<void> {
  const byTable = Map.groupBy(
    decision.groups.filter(({ treatment }) => treatment.action === 'delete'),
    ({ rows }) => rows.table,
  );
  for (const circle of inOrderOfReference([...byTable.keys()], ground.schema)) {
    const group = circle.flatMap((table): Rows[] => {
      const [first, ...more] = byTable.get(table) ?? [];
      return first === undefined ? [] : [{ ...first.rows, keys: [first, ...more].flatMap(({ rows }) => rows.keys) }];
    });
    for (const { table } of group) onTable?.(table);
    const deleted = await refusing(circle.join(', '), () => deleteRows(client, group));
    for (const [place, rows] of group.entries()) {
      const count = deleted[place] ?? 0;
      // Without a key there is only the number; by their keys rows may have gone before, by a trigger or a cascade.
      const missing = rows.keys.length - count;
      if (missing < 0) throw new Changed(rows.table);
      // A user's trigger can let a DELETE fall under the table, or put the row back.
      if (rows.identity.kind === 'place' ? missing > 0 : canBeUndone(ground, rows.table) && (await countRows(client, rows)) > 0)
        throw new NotKept(rows.table);
      countsOf(counts, rows.table).deleted += rows.keys.length;
    }
  }
}

/** Only a trigger or a rule can put something else there than was written. */
function canBeUndone({ catalog, schema }: Ground, table: string): boolean {
  const found = findTable(catalog, table);
  return (
    found === undefined ||
    schema.parents.has(table) ||
    found.triggers.some((trigger) => trigger.enabled !== 'disabled' && !isOwnTrigger(trigger)) ||
    found.rules.length > 0 ||
    found.kind !== 'table'
  );
}

type Dealt = { readonly written: readonly Written[]; readonly counts: ReadonlyMap<string, TableCounts> };

/**
 * Counts again: rows of the person that are not among those that were dealt with have been added in the meantime. Where no row
 * lost its reference, by a mask or by being detached, the number says it; else they are looked for one by one.
 */
async function lookForNew(client: pg.ClientBase, found: Survey, table: string, { written, counts }: Dealt): Promise<void> {
  const asked = rowsOf(found.reach, table, found.person.key);
  const { before = 0, deleted = 0, detached = 0, masked = 0 } = counts.get(table) ?? {};
  const dealt = written.filter(({ rows }) => rows.table === table);
  const ways = new Set(asked.edges.flatMap(({ hop }) => hop?.columns ?? []));
  const isLed = !dealt.some(({ writes }) => writes.some(({ column }) => ways.has(column)));
  const isCountable = isLed && detached === 0 && (masked === 0 || asked.edges.length === 1);
  const statement = asked.select(isCountable ? 'count(*)::text' : '1::text');
  if (statement === undefined) return;
  const { text, parameters } = statement;
  if (isCountable) {
    const counted = await arrays(client, text, parameters);
    if (Number(counted[0]?.[0] ?? 0) > before - deleted) throw new Appeared(table);
    return;
  }
  const known = dealt.flatMap(({ rows }) => (rows.keys.length > 0 ? [rows] : []));
  const others = known.map((rows) => ` and not coalesce(${isOneOf(rows.identity, 't', rows.keys, parameters)}, false)`).join('');
  const rows = await arrays(client, `${text}${others} limit 1`, parameters);
  if (rows.length > 0) throw new Appeared(table);
}

/**
 * A copy of what is erased would stay in a table that nobody looks at, unless the map says of the trigger that it writes none. Who wrote a
 * row the server does not tell: so all that fires must be what was approved, and of each the map must say what it writes.
 */
async function refuseWritesElsewhere(
  client: pg.ClientBase,
  ground: Ground,
  {
    found,
    decision,
    before,
    writers,
    without,
  }: {
    readonly found: Survey;
    readonly decision: Decision;
    readonly before: ReadonlyMap<string, number>;
    readonly writers: string | null;
    readonly without: ReadonlySet<string>;
  },
): Promise<void> {
  const now = await countedWrites(client);
  // What foreign keys set to null was counted when it was decided.
  const meant = (table: string): number => decision.setNull.reduce((sum, each) => sum + (each.table === table ? each.all : 0), 0);
  const written = [...now].flatMap(([table, writes]) =>
    writes > (before.get(table) ?? 0) + (ground.map.tables.has(table) ? 0 : meant(table)) ? [table] : [],
  );
  const touched = new Set(found.tables.map(({ table }) => table));
  const unseen = written.find(
    (table) => without.has(table) && !touched.has(table) && (ground.map.tables.get(table)?.onErasure ?? null) !== null,
  );
  // Which of its rows nobody has looked at here.
  if (unseen !== undefined && meant(unseen) === 0) throw new KeptChanged(unseen);
  const outside = written.filter((table) => !isMapped(ground, table));
  const [first] = outside;
  if (first === undefined) return;
  const allowed = new Set(found.tables.flatMap(({ table }) => harmlessTriggers(ground, table).flatMap(({ writesTo }) => writesTo)));
  const foreign = outside.find((table) => !allowed.has(table));
  if (foreign !== undefined) throw new WroteElsewhere(foreign);
  const firing = await writersNow(client, ground);
  if (firing === null || firing.hash !== writers) throw new WritersChanged(found.subject.table);
  const undeclared = undeclaredOf(firing, ground, { touched, written: new Set(written) });
  if (undeclared.length > 0) throw new WroteElsewhere(first, undeclared);
}

/** Rows of a child of old-style inheritance are rows of its parent. */
function isMapped({ map, schema }: Pick<Ground, 'map' | 'schema'>, table: string): boolean {
  const parents = schema.byName.get(table)?.inherits ?? [];
  return map.tables.has(table) || parents.some((parent) => isMapped({ map, schema }, formatTableName(parent)));
}

async function countedWrites(client: pg.ClientBase): Promise<ReadonlyMap<string, number>> {
  const writes = await writesSoFar(client);
  if (writes === 'off') throw new Uncounted('track_counts is off');
  return writes;
}

async function refusing<Result>(table: string, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    const state = sqlStateOf(error);
    // What a constraint, a right or somebody's function says, which may raise any SQLSTATE: all but what passes or says nothing of the rows
    // (08 connection, 40 deadlock, 53 resources, 55P03 lock, 57 operator, 58 system, XX internal).
    if (state !== undefined && !/^(08|40|53|57|58|XX)|^55P03$/.test(state)) throw new Refused(table, error);
    throw error;
  }
}

function countsOf(counts: Map<string, TableCounts>, table: string): TableCounts {
  const known = counts.get(table);
  if (known === undefined) throw new Error('Every table of a survey has its counts');
  return known;
}
