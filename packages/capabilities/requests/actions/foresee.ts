import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { SchemaIndex } from '@safekeep/core';
import { collectPassed } from '@safekeep/postgres';
import type { StandingHold } from '../../holds/index.ts';
import type { Blocked, ErasureMode, ErasurePlan, PlanLine, RowKey } from '../model.ts';
import { footingsOf, inOrderOfReference, type Footing, type Graph } from '../rules/graph.ts';
import { joinBlocked, joinKept, joinLines, keptColumns, keptLines, planLine, setNullTreatment } from '../rules/plan.ts';
import { allowedBy, isAllowed, type Allowed } from '../rules/treat.ts';
import { personPages, rowsOf, type PersonRow } from '../store/rows.ts';
import { identityOf, type Reach } from '../store/traverse.ts';
import { decide, dueOf, type DealtWith, type Decision } from './decide.ts';
import { rowsAtOnce, type ErasureGround } from './ground.ts';
import type { Unseen } from './kept-ways.ts';
import { policies, rowsFingerprint, type Survey } from './survey.ts';
import { silentColumns, unmappedLines, unmarkedIn } from './unmapped.ts';
import { unlookedLines } from './writers.ts';

/** What is known of rows that were gone through and are not held in memory. */
export type Tally = {
  readonly kept: ErasurePlan['kept'];
  /** Holds that kept rows of these tables, and of each table one row that is kept: what opens those must stay. */
  readonly holds: readonly string[];
  readonly keptRows: Readonly<Record<string, RowKey>>;
  /** Rows of theirs in these tables stay by a duty or a hold, and with them their own row. */
  readonly isKept?: boolean;
  /** From when on the first row of these tables that a duty keeps need not be kept. */
  readonly due?: string | null;
  /** A duty keeps a row of these tables whose date nobody has filled in yet. */
  readonly isUndated?: boolean;
};

/** Some rows of one table, and what becomes of them. */
export type Page = { readonly table: string; readonly found: Survey; readonly decision: Decision };

/** What a plan says of tables that will be worked off in chunks. */
export type Foreseen = Tally & {
  readonly lines: readonly PlanLine[];
  readonly allowed: Allowed;
  readonly blocked: readonly Blocked[];
  readonly standing: ErasurePlan['holds'];
  /** Which rows, and what is done with each, by table. */
  readonly fingerprints: Readonly<Record<string, string>>;
  /** Columns that stay in rows with several people, because nobody has said whose they are. */
  readonly unmarked: Readonly<Record<string, readonly string[]>>;
  readonly beside: ReadonlyMap<string, DealtWith>;
};

export type ForeseeOptions = {
  readonly mode: ErasureMode;
  readonly tables: readonly string[];
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((rows: number) => void) | undefined;
};

/**
 * Goes through tables with too many rows for one transaction, in the order in which they will be worked off and page by page as the chunks
 * will, so that whoever approves is told of every row. One page at a time is held in memory. Locks nothing.
 */
export async function foresee(
  client: pg.ClientBase,
  ground: ErasureGround,
  found: Omit<Survey, 'tables'>,
  { mode, tables, signal, onProgress }: ForeseeOptions,
): Promise<Foreseen> {
  const beside = new Map<string, DealtWith>();
  let seen: Foreseen = {
    kept: [],
    holds: [],
    keptRows: {},
    lines: [],
    allowed: {},
    blocked: [],
    standing: [],
    fingerprints: {},
    unmarked: {},
    beside,
  };
  let done = 0;
  for (const table of tables) {
    const fingerprint = createHash('sha256');
    beside.set(table, { asked: rowsOf(found.reach, table, found.person.key), staying: [] });
    for await (const page of decidePages(client, ground, found, { mode, table, beside })) {
      signal?.throwIfAborted();
      seen = addPage(ground, seen, page);
      addStaying(beside, page, rowsAtOnce(ground));
      for (const surveyed of page.found.tables) {
        fingerprint.update(`${rowsFingerprint(surveyed, page.decision.groups)}\n`);
        done += surveyed.rows.length;
      }
      onProgress?.(done);
      // What a page leaves behind is some hundred megabytes after a few of them.
      collectPassed();
    }
    seen = { ...seen, fingerprints: { ...seen.fingerprints, [table]: fingerprint.digest('hex') } };
  }
  return seen;
}

function addPage(ground: ErasureGround, seen: Foreseen, page: Page): Foreseen {
  const { table, found, decision } = page;
  const unmarked = found.tables.flatMap(unmarkedIn);
  return {
    ...seen,
    ...addTally(ground, seen, page),
    lines: joinLines([...seen.lines, ...linesOf(decision)]),
    allowed: joinAllowed(seen.allowed, allowedIn(decision)),
    blocked: joinBlocked([...seen.blocked, ...decision.blocked]),
    standing: joinHolds([...seen.standing, ...holdsIn(decision)]),
    unmarked: unmarked.length === 0 ? seen.unmarked : { ...seen.unmarked, [table]: unmarked },
  };
}

/**
 * Rows that stay keep those that they refer to. Where more stay than are held in memory the table counts as one of which all stay: a plan may
 * then call an empty row what will be deleted, and either is allowed by the same approval.
 */
function addStaying(beside: Map<string, DealtWith>, { table, decision }: Page, atMost: number): void {
  const known = beside.get(table);
  if (known === undefined) return;
  const staying = [...known.staying, ...decision.groups.filter(({ treatment }) => treatment.action !== 'delete')];
  if (staying.reduce((sum, { rows }) => sum + rows.keys.length, 0) > atMost) beside.delete(table);
  else beside.set(table, { ...known, staying });
}

/** Decides on all rows of the person in a table, page by page. */
async function* decidePages(
  client: pg.ClientBase,
  ground: ErasureGround,
  found: Omit<Survey, 'tables'>,
  { mode, table, beside }: { readonly mode: ErasureMode; readonly table: string; readonly beside?: ReadonlyMap<string, DealtWith> },
): AsyncGenerator<Page> {
  const { person, reach } = found;
  const load = { map: ground.map, reach, person, now: ground.clock.now() };
  for await (const rows of personPages(client, load, rowsOf(reach, table, person.key), rowsAtOnce(ground)))
    yield await decidePage(client, ground, found, {
      mode,
      table,
      rows,
      looksOnly: true,
      ...(beside === undefined ? {} : { beside }),
    });
}

/** What would be done with all rows of the person: of large tables page by page, for as long as somebody asks for the next one. */
export async function* decisionsOn(
  client: pg.ClientBase,
  ground: ErasureGround,
  found: Survey,
  mode: ErasureMode,
): AsyncGenerator<Decision> {
  const cut = found.tables.filter(({ isCut }) => isCut).map(({ table }) => table);
  const whole = { ...found, tables: found.tables.filter(({ isCut }) => !isCut) };
  const unseen: Unseen = new Map(cut.map((table) => [table, 'ask']));
  yield await decide(client, ground, whole, { mode, ledger: ground.ledger, unseen, looksOnly: true });
  for (const table of cut) for await (const { decision } of decidePages(client, ground, found, { mode, table })) yield decision;
}

/** Decides on some rows of one table by themselves. Plan and chunks do it in the same way, or they would not agree. */
export async function decidePage(
  client: pg.ClientBase,
  ground: ErasureGround,
  { person, subject, reach }: Omit<Survey, 'tables'>,
  {
    mode,
    table,
    rows,
    looksOnly = false,
    beside,
  }: {
    readonly mode: ErasureMode;
    readonly table: string;
    readonly rows: readonly PersonRow[];
    readonly looksOnly?: boolean;
    readonly beside?: ReadonlyMap<string, DealtWith>;
  },
): Promise<Page> {
  const surveyed = { table, identity: identityOf(ground.schema, table), policy: policies(ground, table), rows, isCut: true };
  const found = { person, subject, reach, tables: rows.length === 0 ? [] : [surveyed] };
  const decision = await decide(client, ground, found, {
    mode,
    ledger: ground.ledger,
    // Their own row is the last transaction's in any case: without it nobody would find the rest.
    isKept: table === subject.table,
    unseen: askAll(reach),
    looksOnly,
    ...(beside === undefined ? {} : { beside }),
  });
  return { table, found, decision };
}

/** In each of the tables of the person there may be rows that are kept and not among those at hand. */
export function askAll({ graph }: Reach): Unseen {
  return new Map([...graph.edgesOf.keys()].map((table) => [table, 'ask']));
}

/** Tables that are worked off in chunks, in their order, and why that cannot be. */
export type Chunked = { readonly tables: readonly string[]; readonly blocked: readonly Blocked[] };

/**
 * The tables with too many rows, and those that have to come before them, whatever their number: where rows are deleted what refers to them,
 * since while it is there nothing goes; and what is found by columns of theirs that are written over. The person's own row is the last in any
 * case.
 */
export function chunkedTables({ tables, subject, reach: { graph } }: Survey, mode: ErasureMode, schema: SchemaIndex): Chunked {
  const surveyed = new Map(tables.map((table) => [table.table, table]));
  const chunked = new Set(tables.filter(({ isCut }) => isCut).map(({ table }) => table));
  const deletes = tables.filter(({ policy }) => mode === 'delete' || policy.whole.deletes).map(({ table }) => table);
  const standsOn = new Map(
    tables.map(({ table }) => [
      table,
      footingsOf(graph, table).flatMap((footing) => {
        const at = surveyed.get(footing.at);
        return at !== undefined && isTakenAway(at, footing, { mode, graph }) ? [footing.at] : [];
      }),
    ]),
  );
  const before = (table: string): readonly string[] => standsOn.get(table) ?? [];
  for (let known = -1; known < chunked.size;) {
    known = chunked.size;
    for (const { table } of tables) {
      const refersToGone = (schema.outgoing.get(table) ?? []).some(({ to }) => chunked.has(to) && deletes.includes(to));
      if ((table !== subject.table && refersToGone) || before(table).some((at) => chunked.has(at))) chunked.add(table);
    }
  }
  const groups = inOrderOfReference([...chunked], schema, before);
  const blocked = groups.flatMap((group) =>
    group
      .filter((table) => before(table).some((at) => group.includes(at)))
      .map((table) => ({
        table,
        what: 'rows of it are found by columns of others that are to be erased in other chunks, and would be found by nothing any more',
        rows: surveyed.get(table)?.rows.length ?? 0,
        remedy:
          'Let the columns by which its path leads to the person stay (erase: keep), and erase again when those rows are gone.',
      })),
  );
  return { tables: groups.flat(), blocked };
}

/** Whether an erasure may write over these columns, or take rows away that are needed. */
function isTakenAway(
  { table, policy: { whole, detach, mapped } }: Survey['tables'][number],
  { columns, needsRows }: Footing,
  { mode, graph }: { readonly mode: ErasureMode; readonly graph: Graph },
): boolean {
  if (needsRows && (mode === 'delete' || whole.deletes)) return true;
  const leaving = (graph.edgesOf.get(table) ?? []).flatMap(({ edge }) =>
    edge !== null && (edge.meaning === 'created_by' || (mode === 'delete' && edge.meaning !== 'owns')) ? [edge.path] : [],
  );
  const written = [...whole.choices, ...leaving.flatMap((path) => detach.get(path) ?? [])].map(({ column }) => column);
  return columns.some((column) => written.includes(column) || mapped?.onErasure?.replace.has(column) === true);
}

/** What is known of rows after some more. */
export function addTally(ground: ErasureGround, known: Tally, { table, found, decision }: Page): Required<Tally> {
  const { groups, holds } = decision;
  const keptRow = groups.find(({ treatment }) => treatment.keptBy !== undefined)?.rows.keys[0];
  const keeping = holds.filter(({ heldRows }) => heldRows.length > 0).map(({ id }) => id);
  return {
    kept: joinKept([
      ...known.kept,
      ...keptLines(linesOf(decision)),
      ...keptColumns(groups),
      ...silentColumns(found),
      ...unlookedLines(ground, found),
      ...unmappedLines(ground, found),
    ]),
    holds: [...new Set([...known.holds, ...keeping])],
    keptRows: keptRow === undefined ? known.keptRows : { ...known.keptRows, [table]: keptRow },
    isKept: known.isKept === true || decision.isKept,
    due: dueOf([...groups, { due: known.due ?? null }]),
    isUndated: known.isUndated === true || groups.some(({ isUndated }) => isUndated),
  };
}

type Treated = Parameters<typeof planLine>[0];

function treatedIn({ groups, setNull }: Decision): readonly Treated[] {
  return [
    ...groups.map(({ rows, ...group }) => ({ ...group, table: rows.table, rows: rows.keys.length })),
    ...setNull
      .filter(({ rows }) => rows > 0)
      .map(({ table, rows, foreignKey }) => ({ table, rows, treatment: setNullTreatment(foreignKey), writes: [], until: null })),
  ];
}

export function linesOf(decision: Decision): readonly PlanLine[] {
  return treatedIn(decision).map(planLine);
}

export function allowedIn(decision: Decision): Allowed {
  const byTable = Map.groupBy(treatedIn(decision), ({ table }) => table);
  return Object.fromEntries(
    [...byTable].map(([table, treated]) => [table, [...new Set(treated.flatMap(({ treatment }) => allowedBy(treatment)))]]),
  );
}

export function joinAllowed(one: Allowed, other: Allowed): Allowed {
  const tables = new Set([...Object.keys(one), ...Object.keys(other)]);
  return Object.fromEntries([...tables].map((table) => [table, [...new Set([...(one[table] ?? []), ...(other[table] ?? [])])]]));
}

/** What no line of the plan says that was approved: rows came since, or are not what they were. */
export function unapproved(decision: Decision, allowed: Allowed): readonly Blocked[] {
  const refused = treatedIn(decision).filter(({ table, treatment }) => !isAllowed(treatment, allowed[table] ?? []));
  return refused.map(({ table, rows, treatment: { action, reason } }) => ({
    table,
    what: `rows have come or changed since, and no line of the approved plan says what would be done with ${rows} of them (${action}: ${reason})`,
    rows,
    remedy: 'Make a new plan, and look at what is different before you approve it.',
  }));
}

export function holdsIn({ holds }: Pick<Decision, 'holds'>): ErasurePlan['holds'] {
  return holds.map(({ id, target, heldRows, people }: StandingHold) => ({
    id,
    target,
    rows: heldRows.length,
    wholePerson: people.length > 0,
  }));
}

/** Each hold once, with all that it keeps. */
export function joinHolds(holds: ErasurePlan['holds']): ErasurePlan['holds'] {
  const joined = new Map<string, ErasurePlan['holds'][number]>();
  for (const hold of holds) joined.set(hold.id, { ...hold, rows: hold.rows + (joined.get(hold.id)?.rows ?? 0) });
  return [...joined.values()];
}
