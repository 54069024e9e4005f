import type pg from 'pg';
import { newId, SafekeepError, type SchemaIndex } from '@safekeep/core';
import { together } from '@safekeep/postgres';
import { formatKey } from '../../holds/index.ts';
import { runRecorded, type OperationId } from '../../ledger/index.ts';
import type { ApprovalProofs, Approved, ErasureId, ErasurePlan, ParticipantEffects, RowKey } from '../model.ts';
import { approvedAs } from '../rules/approval.ts';
import { inOrderOfReference } from '../rules/graph.ts';
import { joinOwn, type OwnWrites } from '../rules/own-writes.ts';
import { joinKept, keptColumns, keptLines, planLine } from '../rules/plan.ts';
import { areOfHere, oldestRunning } from '../store/own-writes.ts';
import { insertErasure, readErasures, updateErasure, type ErasureRecord, type StoredPlan } from '../store/records.ts';
import { loadRows, rowsOf } from '../store/rows.ts';
import { inTransaction, prepareSession, setLockTimeout } from '../store/session.ts';
import { followPaths, identityOf, plainKey, type Reach } from '../store/traverse.ts';
import { carryOut, erasureKeysOf, type TableCounts } from './carry-out.ts';
import { decide, dueOf, personMark, type Decision } from './decide.ts';
import {
  AlreadyErased,
  effectsAt,
  problemsOf,
  refuseHeld,
  refuseUnfit,
  retried,
  stopped,
  sumCounts,
  WholePersonHeld,
  type Approval,
  type ExecuteOptions,
} from './erasing.ts';
import { faultOfProofs } from './finish-erasure.ts';
import type { Unseen } from './kept-ways.ts';
import { rowsAtOnce, soundGraph, type ErasureGround } from './ground.ts';
import { lateRows } from './late-rows.ts';
import { identityMarks } from './marks.ts';
import { approversOf, keptBeside, makePlan, type Beside, type ErasureOrder, type MadePlan } from './plan-erasure.ts';
import { refuseForeign, tagged, tagOf } from './record-tag.ts';
import { policies, type Survey, type SurveyedTable } from './survey.ts';
import { silentColumns, unmappedLines } from './unmapped.ts';
import { unlookedLines } from './writers.ts';

/** Where a chunked erasure stands; committed with each chunk. */
export type ChunkProgress = {
  readonly erasure: ErasureId;
  /** SHA-256 of the map that was approved. */
  readonly map: string;
  /** What fired at its tables then, where the map lets any of it write outside. */
  readonly writers?: string | null;
  /** Undefined in what an older Safekeep has begun. */
  readonly own?: OwnWrites;
  /** Tables that are to be worked off in chunks, those that refer before those referred to. */
  readonly large: readonly string[];
  /** Of the first table that is not finished: the last row that was dealt with. */
  readonly after: RowKey | null;
  readonly finished: readonly string[];
  readonly tables: readonly (TableCounts & { readonly table: string })[];
  readonly kept: ErasurePlan['kept'];
  /** Holds that kept rows of these tables, and of each table one row that is kept: what opens those must stay. */
  readonly holds: readonly string[];
  readonly keptRows: Readonly<Record<string, RowKey>>;
  /** Rows of theirs in these tables stay by a duty or a hold, and with them their own row. */
  readonly isKept?: boolean;
  readonly rows: number;
  /** What parts counted before each chunk, by their name. */
  readonly counted?: PartCounts;
  readonly roots: readonly string[];
  /** From when on the first row of these tables that a duty keeps need not be kept. */
  readonly due?: string | null;
  /** A duty keeps a row of these tables whose date nobody has filled in yet. */
  readonly isUndated?: boolean;
  /** Of the approval under which it goes on. */
  readonly proofs?: ApprovalProofs | undefined;
  /** Other approvals, under which chunks of it were erased before. */
  readonly approvedBefore?: readonly Approved[];
  /** What the person was known by when it was approved, as `identityMarks` has it: time may go by until it goes on. */
  readonly known?: readonly string[];
};

export type PartCounts = Readonly<Record<string, Readonly<Record<string, number>>>>;

export type Chunking = {
  readonly stored: StoredPlan;
  readonly approval: Approval;
  /** An erasure of this person of which chunks are done. */
  readonly begun: ErasureRecord | undefined;
  readonly options: ExecuteOptions;
  readonly proofs: ApprovalProofs | undefined;
};

/** So many rows of a table came after its chunks that they take chunks of their own. */
export class TooManyLate extends Error {
  readonly table: string;

  constructor(table: string) {
    super('Rows came while others were erased');
    this.table = table;
  }
}

/** Where the erasure begins, or goes on: under the approval it has, or under a new one. */
export async function beginOrGoOn(ground: ErasureGround, order: ErasureOrder, chunking: Chunking): Promise<ChunkProgress> {
  const { begun, stored } = chunking;
  if (begun?.planHash !== stored.hash) return await retried(() => beginChunks(ground, order, chunking));
  const progress = progressOf(begun);
  // What was approved was approved of this map.
  if (progress.map !== ground.mapSha256) throw stopped(progress.rows, 'the map is not the one that was approved');
  const fault = faultOfGoingOn(ground, begun);
  if (fault !== undefined) throw stopped(progress.rows, `${fault}: make a new plan and approve it`);
  if (begun.state !== 'running') await saveProgress(ground, progress);
  return progress;
}

/** Under which signatures it goes on stands in the database, where others may write. */
function faultOfGoingOn(ground: ErasureGround, begun: ErasureRecord): string | undefined {
  if (approversOf(ground) === null) return undefined;
  const { planHash: plan, plannedBy, approvedBy } = begun;
  const { proofs } = progressOf(begun);
  return proofs === undefined
    ? 'nobody has signed it'
    : faultOfProofs(ground, [approvedAs({ plan, plannedBy, approvedBy }, proofs)]);
}

/**
 * Works off the tables in which the person has too many rows for one transaction, each chunk with an intent and an end in the
 * ledger. The rest, the person's own row with it, is left to the last transaction: a crash in between leaves a person who can
 * still be found and an erasure that goes on with the same call.
 */
export async function runChunks(
  ground: ErasureGround,
  order: ErasureOrder,
  { stored, options, progress: begun }: Chunking & { readonly progress: ChunkProgress },
): Promise<ChunkProgress> {
  let progress = begun;
  const total = Object.values(stored.counts).reduce((sum, rows) => sum + rows, 0);
  while (progress.finished.length < progress.large.length) {
    options.signal?.throwIfAborted();
    const before = progress;
    progress = await retried(() => runChunk(ground, order, before), before.rows).catch(async (error: unknown) => {
      if (!(error instanceof AlreadyErased)) throw error;
      return await progressNow(ground, before.erasure);
    });
    options.onProgress?.(progress.rows, total);
  }
  return progress;
}

/** What the person of an erasure in chunks was known by when it began; undefined for one that is whole. */
export function knownAtBeginning(record: ErasureRecord): ReadonlySet<string> | undefined {
  return record.progress === null ? undefined : new Set(progressOf(record).known);
}

function progressOf({ progress }: ErasureRecord): ChunkProgress {
  // Written by this file, with the chunk before.
  return progress as ChunkProgress;
}

async function saveProgress(ground: ErasureGround, progress: ChunkProgress): Promise<ChunkProgress> {
  const { database, tenant } = ground;
  await inTransaction(database, { tenant }, async (client) => {
    const [record] = await readErasures(client, tenant, { id: progress.erasure });
    if (record === undefined) throw new Error('An erasure that goes on has its record');
    refuseForeign(ground, record);
    await writeProgress(client, ground, record, progress);
  });
  return progress;
}

/** Of a record that was read and is this home's: what somebody else writes meanwhile does not get its tag. */
async function writeProgress(
  client: pg.ClientBase,
  ground: ErasureGround,
  record: ErasureRecord,
  progress: ChunkProgress,
): Promise<void> {
  const tag = tagOf(ground, { ...record, progress });
  await updateErasure(client, ground.tenant, record.id, { state: 'running', progress, tag });
}

/** Another process has worked off the chunks: the last transaction finds out what is left to do. */
async function progressNow(ground: ErasureGround, erasure: ErasureId): Promise<ChunkProgress> {
  return await inTransaction(ground.database, { tenant: ground.tenant }, async (client) =>
    progressOf(await currentRecord(client, ground, erasure)),
  );
}

/** Goes through a table once more. */
export async function reopen(ground: ErasureGround, progress: ChunkProgress, table: string): Promise<ChunkProgress> {
  return await saveProgress(ground, { ...progress, after: null, finished: progress.finished.filter((each) => each !== table) });
}

async function beginChunks(
  ground: ErasureGround,
  order: ErasureOrder,
  { stored, approval, proofs }: Chunking,
): Promise<ChunkProgress> {
  const { tenant, database, schema, clock, ledger, mapSha256 } = ground;
  const mark = personMark(ledger, tenant, order.person);
  return await inTransaction(database, { tenant }, async (client) => {
    await setLockTimeout(client);
    const since = await oldestRunning(client);
    const made = await makePlan(client, ground, order, { lock: true, limit: rowsAtOnce(ground) });
    // Behind the lock of the person: whoever had it before may have begun this very erasure.
    const erasures = await readErasures(client, tenant, { mark });
    if (erasures.some(({ planHash, state }) => planHash === stored.hash && state === 'committed')) throw new AlreadyErased();
    const begun = erasures.find(
      ({ state, progress }) => progress !== null && (state === 'running' || state === 'held' || state === 'due'),
    );
    if (begun !== undefined) refuseForeign(ground, begun);
    const before = begun === undefined ? undefined : progressOf(begun);
    if (before !== undefined && begun?.planHash === stored.hash && begun.state === 'running') return before;
    refuseUnfit(made, stored.hash);
    const { plannedBy, approvedBy } = approvedAs(
      { plan: stored.hash, plannedBy: stored.plannedBy, approvedBy: approval.by },
      proofs,
    );
    const known = await identityMarks(client, ground, order);
    const progress: ChunkProgress = {
      erasure: before?.erasure ?? newId<'erasure'>(),
      map: mapSha256,
      writers: made.writers,
      own: { since, by: [], operation: '' },
      large: chunkedTables(made, order, schema),
      after: null,
      finished: [],
      tables: before?.tables ?? [],
      kept: before?.kept ?? [],
      holds: before?.holds ?? [],
      keptRows: before?.keptRows ?? {},
      isKept: before?.isKept ?? false,
      rows: before?.rows ?? 0,
      counted: before?.counted ?? {},
      roots: before?.roots ?? [],
      due: before?.due ?? null,
      isUndated: before?.isUndated ?? false,
      known,
      ...(proofs === undefined ? {} : { proofs }),
      approvedBefore: begun === undefined ? (approval.before ?? []) : approvalsOf(begun, stored.hash),
    };
    if (begun !== undefined) {
      const change = { planHash: stored.hash, plannedBy, approvedBy, progress };
      const tag = tagOf(ground, { ...begun, ...change });
      await updateErasure(client, tenant, progress.erasure, { state: 'running', ...change, tag });
      return progress;
    }
    const record: Omit<ErasureRecord, 'tag'> = {
      id: progress.erasure,
      planHash: stored.hash,
      state: 'running',
      mode: order.mode,
      type: order.person.type,
      key: formatKey(order.person.key),
      mark,
      holds: [],
      progress,
      certificate: null,
      plannedBy,
      approvedBy,
      startedAt: clock.now(),
      finishedAt: null,
      due: null,
      isUndated: false,
    };
    await insertErasure(client, tenant, tagged(ground, record));
    return progress;
  });
}

/** Under which approvals chunks of it were erased; the one that goes on is none of those before. */
function approvalsOf(begun: ErasureRecord, now: string): readonly Approved[] {
  const { proofs, approvedBefore = [] } = progressOf(begun);
  const last = approvedAs({ plan: begun.planHash, plannedBy: begun.plannedBy, approvedBy: begun.approvedBy }, proofs);
  return begun.planHash === now ? approvedBefore : [...approvedBefore, last];
}

/**
 * The tables with too many rows. Where rows are deleted also those that refer to them, whatever their number: while they are there
 * nothing goes that they refer to. The person's own row is the last in any case.
 */
function chunkedTables({ large, found }: MadePlan, { mode, subject }: ErasureOrder, schema: SchemaIndex): readonly string[] {
  const chunked = new Set(large);
  const deletes = found.tables.filter(({ policy }) => mode === 'delete' || policy.whole.deletes).map(({ table }) => table);
  for (let before = -1; before < chunked.size;) {
    before = chunked.size;
    for (const { table } of found.tables) {
      const refersToGone = (schema.outgoing.get(table) ?? []).some(({ to }) => chunked.has(to) && deletes.includes(to));
      if (table !== subject.table && refersToGone) chunked.add(table);
    }
  }
  return inOrderOfReference([...chunked], schema).flat();
}

async function runChunk(ground: ErasureGround, order: ErasureOrder, progress: ChunkProgress): Promise<ChunkProgress> {
  const { tenant } = ground;
  const { result } = await runRecorded(ground, {
    plan: async (client) => {
      await together(client, [() => prepareSession(client, tenant), () => setLockTimeout(client)]);
      return {
        operation: 'erasure-chunk',
        marks: [],
        counts: { [tableAt(progress) ?? '']: rowsAtOnce(ground) },
        ids: { erasure: progress.erasure, chunk: String(progress.roots.length + 1) },
      };
    },
    prepare: (client) => nextChunk(client, ground, order, progress.erasure),
    destroy: async (client, chunk, operation) => {
      const next = await eraseChunk(client, ground, order, { ...chunk, operation });
      await writeProgress(client, ground, chunk.record, next);
      return { result: next, counts: { [chunk.table]: next.rows - chunk.progress.rows } };
    },
  });
  return result;
}

function tableAt({ large, finished }: ChunkProgress): string | undefined {
  return large.find((each) => !finished.includes(each));
}

/** The next rows of a table, locked, and what becomes of them. */
type Chunk = {
  readonly table: string;
  readonly record: ErasureRecord;
  readonly progress: ChunkProgress;
  readonly surveyed: SurveyedTable;
  readonly found: Survey;
  readonly decision: Decision;
  readonly isLast: boolean;
};

async function nextChunk(
  client: pg.ClientBase,
  ground: ErasureGround,
  { person, subject, mode }: ErasureOrder,
  erasure: ErasureId,
): Promise<Chunk> {
  const { map, schema, clock } = ground;
  const reach = await followPaths(
    client,
    { graph: soundGraph(ground, subject), schema, key: person.key, tenant: ground.tenant },
    { lock: true },
  );
  if (reach === undefined) throw new SafekeepError('subject-unknown', { type: person.type });
  const record = await currentRecord(client, ground, erasure);
  const progress = progressOf(record);
  const table = tableAt(progress);
  if (table === undefined) throw new AlreadyErased();
  const rows = await loadRows(client, { map, reach, person, now: clock.now() }, rowsOf(reach, table, person.key), {
    limit: rowsAtOnce(ground),
    lock: true,
    withText: true,
    from: progress.after === null ? 'first' : { after: progress.after },
  });
  const isLast = rows.length < rowsAtOnce(ground);
  const surveyed: SurveyedTable = {
    table,
    identity: identityOf(schema, table),
    policy: policies(ground, table),
    rows,
    isCut: true,
  };
  const found = { person, subject, reach, tables: rows.length === 0 ? [] : [surveyed] };
  // Their own row is the last transaction's in any case: without it nobody would find the rest.
  const decision = await decide(client, ground, found, {
    mode,
    ledger: ground.ledger,
    isKept: table === subject.table,
    unseen: askAll(reach),
  });
  if (decision.holds.some(({ people }) => people.length > 0)) throw new WholePersonHeld(decision.holds.map(({ id }) => id));
  refuseBlocked(decision.blocked, progress);
  return { table, record, progress, surveyed, found, decision, isLast };
}

/** In each of the tables of the person there may be rows that are kept and not among those at hand. */
export function askAll({ graph }: Reach): Unseen {
  return new Map([...graph.edgesOf.keys()].map((table) => [table, 'ask']));
}

/** Behind the lock of the person: another process may be working off the same erasure. */
async function currentRecord(client: pg.ClientBase, ground: ErasureGround, erasure: ErasureId): Promise<ErasureRecord> {
  const [record] = await readErasures(client, ground.tenant, { id: erasure });
  if (record?.state !== 'running') throw new AlreadyErased();
  refuseForeign(ground, record);
  return record;
}

function refuseBlocked(blocked: Decision['blocked'], { rows }: ChunkProgress): void {
  if (blocked.length === 0) return;
  const problems = problemsOf(blocked);
  throw rows === 0 ? new SafekeepError('erasure-blocked', { problems }) : stopped(rows, problems);
}

async function eraseChunk(
  client: pg.ClientBase,
  ground: ErasureGround,
  { person, mode }: ErasureOrder,
  {
    table,
    progress,
    surveyed: { rows, identity },
    found,
    decision,
    isLast,
    operation,
  }: Chunk & { readonly operation: OperationId },
): Promise<ChunkProgress> {
  const scope = {
    tenant: ground.tenant,
    person,
    erasure: progress.erasure,
    mode,
    holds: [],
    rows: new Map(identity.kind === 'key' ? [[table, rows.map(({ key }) => plainKey(identity, key))]] : []),
    kept: new Map(),
    isKept: decision.isKept,
    isPart: true,
  };
  const before = await effectsAt(client, ground, 'before-rows', scope);
  const done = await carryOut(client, ground, {
    found,
    decision,
    keys: erasureKeysOf(ground.ledger, ground.tenant, progress.erasure),
    without: new Set(found.reach.graph.edgesOf.keys()),
    writers: progress.writers ?? null,
  });
  await effectsAt(client, ground, 'after-chunk', scope);
  const lines = decision.groups.map(({ rows: { keys }, treatment, writes, until }) =>
    planLine({ table, rows: keys.length, treatment, writes, until }),
  );
  const keptRow = decision.groups.find(({ treatment }) => treatment.keptBy !== undefined)?.rows.keys[0];
  const holds = decision.holds.filter(({ heldRows }) => heldRows.length > 0).map(({ id }) => id);
  return {
    ...progress,
    ...(progress.own === undefined ? {} : { own: joinOwn(progress.own, { by: done.by, operation }) }),
    after: isLast ? null : (rows.at(-1)?.key ?? null),
    finished: isLast ? [...progress.finished, table] : progress.finished,
    tables: [...progress.tables, ...[...done.counts].map(([name, counts]) => ({ table: name, ...counts }))],
    kept: joinKept([
      ...progress.kept,
      ...keptLines(lines),
      ...keptColumns(decision.groups),
      ...silentColumns(found),
      ...unlookedLines(ground, found),
      ...unmappedLines(ground, found),
    ]),
    holds: [...new Set([...progress.holds, ...holds])],
    keptRows: keptRow === undefined ? progress.keptRows : { ...progress.keptRows, [table]: keptRow },
    isKept: progress.isKept === true || decision.isKept,
    rows: progress.rows + rows.length,
    counted: addCounts(progress.counted, before),
    due: dueOf([...decision.groups, { due: progress.due ?? null }]),
    isUndated: progress.isUndated === true || decision.groups.some(({ isUndated }) => isUndated),
    roots: rows.length === 0 ? progress.roots : [...progress.roots, done.tree.root],
  };
}

function addCounts(known: PartCounts = {}, effects: ReadonlyMap<string, ParticipantEffects>): PartCounts {
  const added = [...effects].map(([name, { counts }]) => [name, sumCounts(known[name], counts)] as const);
  return { ...known, ...Object.fromEntries(added) };
}

/**
 * What is left for the last transaction: tables that needed no chunks, and rows of the others that came, or were written again, since
 * their chunk. From here on none can come: the person is locked.
 */
export async function prepareRest(
  client: pg.ClientBase,
  ground: ErasureGround,
  order: ErasureOrder,
  { erasure, large, holds, keptRows, isKept = false, own }: ChunkProgress,
): Promise<MadePlan> {
  const beside: Beside = { holds, kept: new Map(Object.entries(keptRows).map(([table, key]) => [table, [key]])), isKept };
  const made = await makePlan(client, ground, order, {
    lock: true,
    limit: rowsAtOnce(ground),
    erasure,
    without: new Set(large),
    beside,
  });
  const progress = progressOf(await currentRecord(client, ground, erasure));
  refuseHeld(made.plan);
  refuseBlocked(made.plan.blocked, progress);
  if (made.large[0] !== undefined)
    throw stopped(
      progress.rows,
      `the person has more rows in ${made.large[0]} by now than one transaction takes: make a new plan and approve it`,
    );
  if (large.length > 0 && (own === undefined || !(await areOfHere(client, ground.tenant, own))))
    throw stopped(progress.rows, 'nobody can tell any more what it has written here: make a new plan and approve it');
  const unseen: Unseen = new Map([...askAll(made.found.reach), ...keptBeside(beside)]);
  const late: SurveyedTable[] = [];
  for (const table of large) {
    const { rows } = await lateRows(client, ground, made.found, {
      mode: order.mode,
      table,
      lock: true,
      atMost: rowsAtOnce(ground),
      unseen,
      own,
    });
    if (rows.length >= rowsAtOnce(ground)) throw new TooManyLate(table);
    const identity = identityOf(ground.schema, table);
    if (rows.length > 0) late.push({ table, identity, policy: policies(ground, table), rows, isCut: true });
  }
  if (late.length === 0) return made;
  const found = { ...made.found, tables: [...made.found.tables, ...late] };
  const more = await decide(
    client,
    ground,
    { ...found, tables: late },
    { mode: order.mode, ledger: ground.ledger, isKept: true, unseen },
  );
  refuseBlocked(more.blocked, progress);
  return { ...made, found, decision: { ...made.decision, groups: [...made.decision.groups, ...more.groups] } };
}
