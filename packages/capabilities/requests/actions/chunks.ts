import type pg from 'pg';
import { newId, SafekeepError } from '@safekeep/core';
import { together } from '@safekeep/postgres';
import { formatKey } from '../../holds/index.ts';
import { runRecorded, type OperationId } from '../../ledger/index.ts';
import type { ApprovalProofs, Approved, ErasureId, ParticipantEffects, RowKey } from '../model.ts';
import { approvedAs } from '../rules/approval.ts';
import type { Ties } from '../rules/certificate.ts';
import { joinOwn, type OwnWrites } from '../rules/own-writes.ts';
import { joinKept, keptColumns, keptLines } from '../rules/plan.ts';
import { areOfHere, oldestRunning } from '../store/own-writes.ts';
import type { Allowed } from '../rules/treat.ts';
import { insertErasure, readErasures, updateErasure, type ErasureRecord, type StoredPlan } from '../store/records.ts';
import { loadRows, rowsOf, type PersonRow } from '../store/rows.ts';
import { inTransaction, prepareSession, setLockTimeout } from '../store/session.ts';
import { followPaths, identityOf, plainKey, type Reach } from '../store/traverse.ts';
import { carryOut, erasureKeysOf, type TableCounts } from './carry-out.ts';
import { decide, joinDecisions, personMark, type Decision } from './decide.ts';
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
import { addTally, askAll, decidePage, linesOf, unapproved, type Page, type Tally } from './foresee.ts';
import type { Unseen } from './kept-ways.ts';
import { rowsAtOnce, soundGraph, type ErasureGround } from './ground.ts';
import { lateRows } from './late-rows.ts';
import { identityMarks, tellingMarks } from './marks.ts';
import {
  approversOf,
  besideOf,
  keptBeside,
  keysByTable,
  makePlan,
  type Beside,
  type ErasureOrder,
  type MadePlan,
} from './plan-erasure.ts';
import { refuseForeign, tagged, tagOf } from './record-tag.ts';
import { policies, type SurveyedTable } from './survey.ts';
import { joinTies, tiesOf } from './ties.ts';

/** Where a chunked erasure stands; committed with each chunk. */
export type ChunkProgress = Tally & {
  readonly erasure: ErasureId;
  /** SHA-256 of the map that was approved. */
  readonly map: string;
  /** What may be done to rows of each table: what was approved has a line for it. Where it is not known nothing may. */
  readonly allowed?: Allowed;
  /** What fired at its tables then, where the map lets any of it write outside. */
  readonly writers?: string | null;
  /** Undefined in what an older Safekeep has begun. */
  readonly own?: OwnWrites;
  /** By what rows were the person's when the first chunk began: a chunk may mask it. */
  readonly ties?: Ties;
  /** Tables that are to be worked off in chunks, those that refer before those referred to. */
  readonly large: readonly string[];
  /** Of the first table that is not finished: the last row that was dealt with. */
  readonly after: RowKey | null;
  readonly finished: readonly string[];
  readonly tables: readonly (TableCounts & { readonly table: string })[];
  readonly rows: number;
  /** What parts counted before each chunk, by their name. */
  readonly counted?: PartCounts;
  readonly roots: readonly string[];
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
  { stored, approval, proofs, options: { signal } }: Chunking,
): Promise<ChunkProgress> {
  const { tenant, database, clock, ledger, mapSha256 } = ground;
  const mark = personMark(ledger, tenant, order.person);
  // No writer waits while millions of rows are looked at: each chunk looks at its own again, behind its lock.
  const { made, whom } = await inTransaction(
    database,
    { tenant },
    async (client) => ({
      whom: await tellingMarks(client, ground, order),
      made: await makePlan(client, ground, order, {
        lock: false,
        limit: rowsAtOnce(ground),
        ...(signal === undefined ? {} : { signal }),
      }),
    }),
    'rollback',
  );
  return await inTransaction(database, { tenant }, async (client) => {
    await setLockTimeout(client);
    const since = await oldestRunning(client);
    await lockedReach(client, ground, order);
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
    // The key may be somebody else's by now.
    if ((await tellingMarks(client, ground, order)).join() !== whom.join())
      throw stopped(
        before?.rows ?? 0,
        'what tells the person apart was written while all was looked at: see who it is, and approve again',
      );
    const { plannedBy, approvedBy } = approvedAs(
      { plan: stored.hash, plannedBy: stored.plannedBy, approvedBy: approval.by },
      proofs,
    );
    const known = await identityMarks(client, ground, order);
    const progress: ChunkProgress = {
      erasure: before?.erasure ?? newId<'erasure'>(),
      map: mapSha256,
      allowed: made.allowed,
      writers: made.writers,
      own: { since, by: [], operation: '' },
      ties: joinTies(before?.ties, tiesOf(ground, made.found.reach)),
      large: made.chunked,
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
type Chunk = Page & {
  readonly record: ErasureRecord;
  readonly progress: ChunkProgress;
  readonly rows: readonly PersonRow[];
  readonly isLast: boolean;
};

async function nextChunk(client: pg.ClientBase, ground: ErasureGround, order: ErasureOrder, erasure: ErasureId): Promise<Chunk> {
  const { person, subject, mode } = order;
  const reach = await lockedReach(client, ground, order);
  const record = await currentRecord(client, ground, erasure);
  const progress = progressOf(record);
  const table = tableAt(progress);
  if (table === undefined) throw new AlreadyErased();
  const load = { map: ground.map, reach, person, now: ground.clock.now() };
  const rows = await loadRows(client, load, rowsOf(reach, table, person.key), {
    limit: rowsAtOnce(ground),
    lock: true,
    withText: true,
    from: progress.after === null ? 'first' : { after: progress.after },
  });
  const page = await decidePage(client, ground, { person, subject, reach }, { mode, table, rows });
  const { holds } = page.decision;
  if (holds.some(({ people }) => people.length > 0)) throw new WholePersonHeld(holds.map(({ id }) => id));
  refuseUnapproved(page.decision, progress);
  return { ...page, record, progress, rows, isLast: rows.length < rowsAtOnce(ground) };
}

/** From here on no row can be hung on the person until the transaction ends. */
async function lockedReach(client: pg.ClientBase, ground: ErasureGround, { person, subject }: ErasureOrder): Promise<Reach> {
  const { schema, tenant } = ground;
  const start = { graph: soundGraph(ground, subject), schema, key: person.key, tenant };
  const reach = await followPaths(client, start, { lock: true });
  if (reach === undefined) throw new SafekeepError('subject-unknown', { type: person.type });
  return reach;
}

/** Behind the lock of the person: another process may be working off the same erasure. */
async function currentRecord(client: pg.ClientBase, ground: ErasureGround, erasure: ErasureId): Promise<ErasureRecord> {
  const [record] = await readErasures(client, ground.tenant, { id: erasure });
  if (record?.state !== 'running') throw new AlreadyErased();
  refuseForeign(ground, record);
  return record;
}

/** What cannot be done, or not under this approval. */
function refuseUnapproved(decision: Decision, progress: ChunkProgress): void {
  refuseBlocked([...decision.blocked, ...unapproved(decision, progress.allowed ?? {})], progress);
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
  { table, progress, rows, found, decision, isLast, operation }: Chunk & { readonly operation: OperationId },
): Promise<ChunkProgress> {
  const identity = identityOf(ground.schema, table);
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
  return {
    ...progress,
    ...(progress.own === undefined ? {} : { own: joinOwn(progress.own, { by: done.by, operation }) }),
    ...addTally(ground, progress, { table, found, decision }),
    after: isLast ? null : (rows.at(-1)?.key ?? null),
    finished: isLast ? [...progress.finished, table] : progress.finished,
    tables: [...progress.tables, ...[...done.counts].map(([name, counts]) => ({ table: name, ...counts }))],
    rows: progress.rows + rows.length,
    counted: addCounts(progress.counted, before),
    roots: rows.length === 0 ? progress.roots : [...progress.roots, done.tree.root],
  };
}

function addCounts(known: PartCounts = {}, effects: ReadonlyMap<string, ParticipantEffects>): PartCounts {
  const added = [...effects].map(([name, { counts }]) => [name, sumCounts(known[name], counts)] as const);
  return { ...known, ...Object.fromEntries(added) };
}

/**
 * What is left for the last transaction: tables that needed no chunks, and rows of the others that came, or were written again, since
 * their chunk. From here on none can come: the person is locked. What is kept of those keeps the person's own row and keys too.
 */
export async function prepareRest(
  client: pg.ClientBase,
  ground: ErasureGround,
  order: ErasureOrder,
  { erasure, large, own, ...tally }: ChunkProgress,
): Promise<MadePlan> {
  const beside = besideOf(tally);
  const first = await makeRest(client, ground, order, { erasure, large, beside });
  if (large.length > 0 && (own === undefined || !(await areOfHere(client, ground.tenant, own))))
    throw stopped(first.progress.rows, 'nobody can tell any more what it has written here: make a new plan and approve it');
  const late = await lateOfLarge(client, ground, order, { made: first.made, large, own, beside });
  refuseUnapproved(late.decision, first.progress);
  if (!late.beside.isKept || beside.isKept) return withLate(first.made, late);
  return withLate((await makeRest(client, ground, order, { erasure, large, beside: late.beside })).made, late);
}

async function makeRest(
  client: pg.ClientBase,
  ground: ErasureGround,
  order: ErasureOrder,
  { erasure, large, beside }: Pick<ChunkProgress, 'erasure' | 'large'> & { readonly beside: Beside },
): Promise<{ readonly made: MadePlan; readonly progress: ChunkProgress }> {
  const without = new Set(large);
  const made = await makePlan(client, ground, order, { lock: true, limit: rowsAtOnce(ground), erasure, without, beside });
  const progress = progressOf(await currentRecord(client, ground, erasure));
  refuseHeld(made.plan);
  refuseBlocked(made.plan.blocked, progress);
  if (made.chunked[0] !== undefined)
    throw stopped(
      progress.rows,
      `the person has more rows in ${made.chunked[0]} by now than one transaction takes: make a new plan and approve it`,
    );
  refuseUnapproved(made.decision, progress);
  return { made, progress };
}

/** Rows that came, or were written again, what becomes of them, and what is kept in those tables with them. */
type LateOfLarge = { readonly tables: readonly SurveyedTable[]; readonly decision: Decision; readonly beside: Beside };

async function lateOfLarge(
  client: pg.ClientBase,
  ground: ErasureGround,
  { mode }: ErasureOrder,
  {
    made: { found },
    large,
    own,
    beside,
  }: Pick<ChunkProgress, 'large'> & { readonly made: MadePlan; readonly own: OwnWrites | undefined; readonly beside: Beside },
): Promise<LateOfLarge> {
  const unseen: Unseen = new Map([...askAll(found.reach), ...keptBeside(beside)]);
  const tables: SurveyedTable[] = [];
  const kept = new Map(beside.kept);
  const holds = new Set(beside.holds);
  for (const table of large) {
    const asked = { mode, table, lock: true, atMost: rowsAtOnce(ground), unseen, own };
    const late = await lateRows(client, ground, found, asked);
    if (late.rows.length >= rowsAtOnce(ground)) throw new TooManyLate(table);
    if (late.keptRow !== undefined) kept.set(table, [...(kept.get(table) ?? []), late.keptRow]);
    for (const id of late.kept.holds) holds.add(id);
    const { rows } = late;
    if (rows.length > 0)
      tables.push({ table, identity: identityOf(ground.schema, table), policy: policies(ground, table), rows, isCut: true });
  }
  const decision = await decide(client, ground, { ...found, tables }, { mode, ledger: ground.ledger, isKept: true, unseen });
  return { tables, decision, beside: { holds: [...holds], kept, isKept: beside.isKept || kept.size > beside.kept.size } };
}

function withLate(made: MadePlan, { tables, decision, beside }: LateOfLarge): MadePlan {
  const { plan, found, scope } = made;
  const rows = new Map([...scope.rows, ...keysByTable(decision, ({ action }) => action !== 'keep')]);
  return {
    ...made,
    plan: { ...plan, kept: joinKept([...plan.kept, ...keptLines(linesOf(decision)), ...keptColumns(decision.groups)]) },
    found: { ...found, tables: [...found.tables, ...tables] },
    decision: joinDecisions(made.decision, decision),
    scope: { ...scope, rows, holds: [...new Set([...scope.holds, ...beside.holds])] },
  };
}
