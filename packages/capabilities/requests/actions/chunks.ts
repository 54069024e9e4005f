import type pg from 'pg';
import { newId, SafekeepError } from '@safekeep/core';
import { together } from '@safekeep/postgres';
import { formatKey } from '../../holds/index.ts';
import { runRecorded } from '../../ledger/index.ts';
import type { ErasureId, ErasurePlan, RowKey } from '../model.ts';
import { inOrderOfReference } from '../rules/graph.ts';
import { keptLines, planLine } from '../rules/plan.ts';
import { insertErasure, updateErasure, type ErasureRecord, type StoredPlan } from '../store/records.ts';
import { loadRows, rowsOf } from '../store/rows.ts';
import { inTransaction, prepareSession, setLockTimeout } from '../store/session.ts';
import { followPaths, identityOf, tableOf } from '../store/traverse.ts';
import { carryOut, keysOf, type TableCounts } from './carry-out.ts';
import { decide, personMark, type Decision } from './decide.ts';
import { effectsAt, refuseUnfit, type Approval, type ExecuteOptions } from './execute-erasure.ts';
import { rowsAtOnce, soundGraph, type ErasureGround } from './ground.ts';
import { makePlan, type ErasureOrder } from './plan-erasure.ts';
import { policies, type Survey, type SurveyedTable } from './survey.ts';

/** Where a chunked erasure stands; committed with each chunk. */
export type ChunkProgress = {
  readonly erasure: ErasureId;
  /** Tables that are to be worked off in chunks, those that refer before those referred to. */
  readonly large: readonly string[];
  /** Of the first table that is not finished: the last row that was dealt with. */
  readonly after: RowKey | null;
  readonly finished: readonly string[];
  readonly tables: readonly (TableCounts & { readonly table: string })[];
  readonly kept: ErasurePlan['kept'];
  readonly rows: number;
  readonly roots: readonly string[];
};

type Chunking = {
  readonly stored: StoredPlan;
  readonly approval: Approval;
  readonly resumed: ErasureRecord | undefined;
  readonly options: ExecuteOptions;
};

/**
 * Works off the tables in which the person has too many rows for one transaction, each chunk with an intent and an end in the
 * ledger. The rest, the person's own row with it, is left to the last transaction: a crash in between leaves a person who can
 * still be found and an erasure that goes on with the same call.
 */
export async function runChunks(ground: ErasureGround, order: ErasureOrder, chunking: Chunking): Promise<ChunkProgress> {
  const { resumed, stored, options } = chunking;
  let progress = resumed === undefined ? await beginChunks(ground, order, chunking) : progressOf(resumed);
  const total = Object.values(stored.counts).reduce((sum, rows) => sum + rows, 0);
  while (progress.finished.length < progress.large.length) {
    options.signal?.throwIfAborted();
    progress = await runChunk(ground, order, progress);
    options.onProgress?.(progress.rows, total);
  }
  return progress;
}

function progressOf({ progress }: ErasureRecord): ChunkProgress {
  // Written by this file, with the chunk before.
  return progress as ChunkProgress;
}

async function beginChunks(ground: ErasureGround, order: ErasureOrder, { stored, approval }: Chunking): Promise<ChunkProgress> {
  const { tenant, database, schema, clock, ledger } = ground;
  return await inTransaction(database, { tenant }, async (client) => {
    await setLockTimeout(client);
    const made = await makePlan(client, ground, order, { lock: true, limit: rowsAtOnce(ground) });
    refuseUnfit(made, stored.hash);
    const progress: ChunkProgress = {
      erasure: newId<'erasure'>(),
      large: inOrderOfReference(made.large, schema).flat(),
      after: null,
      finished: [],
      tables: [],
      kept: [],
      rows: 0,
      roots: [],
    };
    await insertErasure(client, tenant, {
      id: progress.erasure,
      planHash: stored.hash,
      state: 'running',
      mode: order.mode,
      type: order.person.type,
      key: formatKey(order.person.key),
      mark: personMark(ledger, tenant, order.person),
      holds: [],
      progress,
      certificate: null,
      plannedBy: stored.plannedBy,
      approvedBy: approval.by,
      startedAt: clock.now(),
      finishedAt: null,
    });
    return progress;
  });
}

async function runChunk(ground: ErasureGround, order: ErasureOrder, progress: ChunkProgress): Promise<ChunkProgress> {
  const { tenant } = ground;
  const table = progress.large.find((each) => !progress.finished.includes(each));
  if (table === undefined) return progress;
  const { result } = await runRecorded(ground, {
    plan: async (client) => {
      await together(client, [() => prepareSession(client, tenant), () => setLockTimeout(client)]);
      return {
        operation: 'erasure-chunk',
        marks: [],
        counts: { [table]: rowsAtOnce(ground) },
        ids: { erasure: progress.erasure, chunk: String(progress.roots.length + 1) },
      };
    },
    prepare: (client) => nextChunk(client, ground, order, { table, progress }),
    destroy: async (client, chunk) => {
      const next = await eraseChunk(client, ground, order, { chunk, progress });
      await updateErasure(client, tenant, progress.erasure, { state: 'running', progress: next });
      return { result: next, counts: { [table]: next.rows - progress.rows } };
    },
  });
  return result;
}

/** The next rows of a table, locked, and what becomes of them. */
type Chunk = {
  readonly table: string;
  readonly surveyed: SurveyedTable;
  readonly found: Survey;
  readonly decision: Decision;
  readonly isLast: boolean;
};

async function nextChunk(
  client: pg.ClientBase,
  ground: ErasureGround,
  { person, subject, mode }: ErasureOrder,
  { table, progress }: { readonly table: string; readonly progress: ChunkProgress },
): Promise<Chunk> {
  const { map, schema, clock } = ground;
  const reach = await followPaths(
    client,
    { graph: soundGraph(ground, subject), schema, key: person.key, tenant: ground.tenant },
    { lock: true },
  );
  if (reach === undefined) throw new SafekeepError('subject-unknown', { type: person.type });
  const rows = await loadRows(client, { map, reach, person, now: clock.now() }, rowsOf(reach, table, person.key), {
    limit: rowsAtOnce(ground),
    lock: true,
    withText: true,
    from: progress.after === null ? 'first' : { after: progress.after },
  });
  const isLast = rows.length < rowsAtOnce(ground);
  const surveyed: SurveyedTable = {
    table,
    identity: identityOf(tableOf(schema, table)),
    policy: policies(ground, table),
    rows,
    isCut: !isLast || progress.after !== null,
  };
  const found = { person, subject, reach, tables: rows.length === 0 ? [] : [surveyed] };
  const decision = await decide(client, ground, found, { mode, ledger: ground.ledger });
  if (decision.blocked.length > 0) {
    const problems = decision.blocked.map(({ what, remedy }) => `${table}: ${what}. ${remedy}`).join('\n');
    throw new SafekeepError('erasure-blocked', { problems });
  }
  return { table, surveyed, found, decision, isLast };
}

async function eraseChunk(
  client: pg.ClientBase,
  ground: ErasureGround,
  { person, mode }: ErasureOrder,
  { chunk: { table, surveyed, found, decision, isLast }, progress }: { readonly chunk: Chunk; readonly progress: ChunkProgress },
): Promise<ChunkProgress> {
  const { rows } = surveyed;
  await effectsAt(client, ground, 'before-rows', {
    tenant: ground.tenant,
    person,
    erasure: progress.erasure,
    mode,
    holds: [],
    rows: new Map(),
    kept: new Map(),
  });
  const done = await carryOut(client, ground, {
    found,
    decision,
    keys: keysOf(ground.ledger, ground.tenant, progress.erasure),
    without: new Set(found.reach.graph.edgesOf.keys()),
  });
  const counts = done.counts.get(table);
  const kept = keptLines(
    decision.groups.map(({ rows: { keys }, treatment, writes, until }) =>
      planLine({ table, rows: keys.length, treatment, writes, until }),
    ),
  );
  return {
    ...progress,
    after: isLast ? null : (rows.at(-1)?.key ?? null),
    finished: isLast ? [...progress.finished, table] : progress.finished,
    tables: counts === undefined ? progress.tables : [...progress.tables, { table, ...counts }],
    kept: [...progress.kept, ...kept],
    rows: progress.rows + rows.length,
    roots: rows.length === 0 ? progress.roots : [...progress.roots, done.tree.root],
  };
}
